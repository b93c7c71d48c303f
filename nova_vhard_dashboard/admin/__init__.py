# SPDX-License-Identifier: Apache-2.0
"""The administrator's panel: what the report of the command line shows."""
