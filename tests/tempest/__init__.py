# SPDX-License-Identifier: Apache-2.0
"""Tempest on the test cloud, with the gates in enforce and without them.

``python -m tests.tempest`` runs a subset on both clouds, one after the other,
and writes the table of both, test by test. See tests/tempest/subset.txt.
"""
