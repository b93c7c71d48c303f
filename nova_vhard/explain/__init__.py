# SPDX-License-Identifier: Apache-2.0
"""Explain refused requests and propose fixes that the policy accepts.

Nova and Glance import this package only when they refuse a request.
"""
