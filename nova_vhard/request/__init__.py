# SPDX-License-Identifier: Apache-2.0
"""Readers: each turns one format into a HardwareRequest."""
