# SPDX-License-Identifier: Apache-2.0
"""The gates: one file a door of OpenStack."""
