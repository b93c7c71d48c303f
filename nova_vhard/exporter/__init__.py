# SPDX-License-Identifier: Apache-2.0
"""The exporter: decisions, taken from the message bus, as metrics."""
