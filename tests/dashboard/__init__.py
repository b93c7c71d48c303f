# SPDX-License-Identifier: Apache-2.0
"""The plugin in Horizon, in a browser, on a cloud of real processes."""
