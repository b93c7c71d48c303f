# SPDX-License-Identifier: Apache-2.0
"""Services that run on a compute node next to nova-compute."""
