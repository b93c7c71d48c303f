# SPDX-License-Identifier: Apache-2.0
"""What is refused, why, and a fix that the judge has accepted.

Nova and Glance load this package when they refuse something, not before.
"""
