# SPDX-License-Identifier: Apache-2.0
"""The guard: what libvirt is about to start is judged on the host."""
