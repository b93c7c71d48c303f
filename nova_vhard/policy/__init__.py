# SPDX-License-Identifier: Apache-2.0
"""The policy: model, files, evaluation and decision events."""
