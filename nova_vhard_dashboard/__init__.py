# SPDX-License-Identifier: Apache-2.0
"""The plugin of nova-vhard for Horizon: refusals as they are meant."""
