# SPDX-License-Identifier: Apache-2.0
"""The gates in nova-scheduler, nova-api and glance-api."""
