# SPDX-License-Identifier: Apache-2.0
"""What the demo and the integration cloud have in common."""
