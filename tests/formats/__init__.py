# SPDX-License-Identifier: Apache-2.0
"""What released versions have written, and whether it is read today.

One folder a version. Nothing in a folder of a released one is changed: add one
for each release, by ``python -m tests.formats VERSION``.
"""
