# SPDX-License-Identifier: Apache-2.0
"""Many reporters for a long time against one Placement that has bad days."""
