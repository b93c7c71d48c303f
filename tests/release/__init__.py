# SPDX-License-Identifier: Apache-2.0
"""Facts about Nova and Glance themselves: run when one of them changes."""
