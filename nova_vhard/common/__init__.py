# SPDX-License-Identifier: Apache-2.0
"""What knows no policy and no service: text, logs, files, YAML with lines."""
