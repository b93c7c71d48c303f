# SPDX-License-Identifier: Apache-2.0
"""What our daemons share, wherever they run: rounds, signals, the manager."""
