# SPDX-License-Identifier: Apache-2.0
"""A real cloud of many processes on loopback."""
