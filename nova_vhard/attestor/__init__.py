# SPDX-License-Identifier: Apache-2.0
"""The attestor: a verdict of a verifier off the hosts, in Placement."""
