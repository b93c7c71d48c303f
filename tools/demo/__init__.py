# SPDX-License-Identifier: Apache-2.0
"""A small real cloud on loopback, and the story that is played on it."""
