# SPDX-License-Identifier: Apache-2.0
"""Data only: every device kind and every host check."""
