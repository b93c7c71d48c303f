# SPDX-License-Identifier: Apache-2.0
"""The story that is played on a cloud, through real clients."""
