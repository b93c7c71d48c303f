# SPDX-License-Identifier: Apache-2.0
"""The policy: what a guest may ask for, judged without any I/O."""
