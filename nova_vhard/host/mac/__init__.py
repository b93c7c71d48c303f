# SPDX-License-Identifier: Apache-2.0
"""Mandatory access control, and the confinement of processes."""
