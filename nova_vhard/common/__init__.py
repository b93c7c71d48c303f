# SPDX-License-Identifier: Apache-2.0
"""Helpers without policy or services: text, logs, files, YAML with lines."""
