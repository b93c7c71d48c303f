# SPDX-License-Identifier: Apache-2.0
"""nova-compute, and Nova's settings on a host."""
