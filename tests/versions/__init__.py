# SPDX-License-Identifier: Apache-2.0
"""The tests on every OpenStack release that is supported."""
