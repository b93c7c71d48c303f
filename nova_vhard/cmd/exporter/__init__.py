# SPDX-License-Identifier: Apache-2.0
"""The exporter: decision events, read from logs, as metrics."""
