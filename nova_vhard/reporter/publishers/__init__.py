# SPDX-License-Identifier: Apache-2.0
"""Publishers: where a host report goes."""
