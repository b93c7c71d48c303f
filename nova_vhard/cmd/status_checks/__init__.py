# SPDX-License-Identifier: Apache-2.0
"""What nova-vhard-status looks at, one module a group of checks.

A check is a function: it is given the Node, and returns a Result of
oslo.upgradecheck whose details say what was found and, where that is not
well, how to mend it. What could not be looked at is a warning, never a
success.
"""
