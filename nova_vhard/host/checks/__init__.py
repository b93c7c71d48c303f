# SPDX-License-Identifier: Apache-2.0
"""The host checks, one file a subject."""
