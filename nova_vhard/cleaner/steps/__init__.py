# SPDX-License-Identifier: Apache-2.0
"""The cleaning steps that come with the package, one a file."""
