# SPDX-License-Identifier: Apache-2.0
"""PCI devices, and which of them Nova offers to guests."""
