# SPDX-License-Identifier: Apache-2.0
"""Readers: one foreign shape each into a HardwareRequest."""
