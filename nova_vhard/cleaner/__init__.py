# SPDX-License-Identifier: Apache-2.0
"""Passthrough devices are cleaned before another guest gets them."""
