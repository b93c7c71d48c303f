# SPDX-License-Identifier: Apache-2.0
"""The way from installed to enforcing, walked on the demo's services."""
