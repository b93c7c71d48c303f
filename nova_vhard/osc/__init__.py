# SPDX-License-Identifier: Apache-2.0
"""The openstackclient plugin, with one package for each noun."""
