# SPDX-License-Identifier: Apache-2.0
"""Sources of verdicts: who has looked at the machines."""
