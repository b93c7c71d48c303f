# SPDX-License-Identifier: Apache-2.0
"""What a URL in an answer may look like: nothing in it ends it too early."""

#: Regular expression of a URL without an anchor, at most 512 characters long.
PAGE = r"https?://[^\s#`'\"<>\[\]\\]{1,504}"
