# SPDX-License-Identifier: Apache-2.0
"""QEMU's binaries, how they were built, and their settings."""
