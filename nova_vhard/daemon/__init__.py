# SPDX-License-Identifier: Apache-2.0
"""Common code of all daemons: rounds, signals, the service manager."""
