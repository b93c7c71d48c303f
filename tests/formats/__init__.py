# SPDX-License-Identifier: Apache-2.0
"""Files written by released versions, which this version must read.

There is one folder per version. Do not change the folder of a released
version. For each release, add one by ``python -m tests.formats VERSION``.
"""
