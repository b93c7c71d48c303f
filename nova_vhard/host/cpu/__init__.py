# SPDX-License-Identifier: Apache-2.0
"""Processors of a host, and which guests run on them."""
