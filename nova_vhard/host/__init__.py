# SPDX-License-Identifier: Apache-2.0
"""Proving a host: one check a question, each answer with evidence."""
