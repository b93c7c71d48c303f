# SPDX-License-Identifier: Apache-2.0
"""IOMMUs, and the remapping of interrupts."""
