# SPDX-License-Identifier: Apache-2.0
"""Checks of nova-vhard-status, one module for each group.

A check is a function that takes the Node and returns a Result of
oslo.upgradecheck. Its details say what was found and, if there is a problem,
how to fix it. Something that could not be checked is a warning, never a
success.
"""
