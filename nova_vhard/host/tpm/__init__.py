# SPDX-License-Identifier: Apache-2.0
"""TPMs, and the firmware's log of a boot."""
