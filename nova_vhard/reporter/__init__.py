# SPDX-License-Identifier: Apache-2.0
"""The reporter: from a host report to what others read of it."""
