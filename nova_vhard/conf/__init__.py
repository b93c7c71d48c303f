# SPDX-License-Identifier: Apache-2.0
"""Options, one file an option group."""
