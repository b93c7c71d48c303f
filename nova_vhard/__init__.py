# SPDX-License-Identifier: Apache-2.0
"""Hardening policy for the virtual hardware of an OpenStack cloud."""
