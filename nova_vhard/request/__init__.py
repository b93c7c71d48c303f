# SPDX-License-Identifier: Apache-2.0
"""Readers: each turns one format, of OpenStack or libvirt, into a request."""
