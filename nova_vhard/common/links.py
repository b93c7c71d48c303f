# SPDX-License-Identifier: Apache-2.0
"""Pattern of URLs in answers: no character that ends the link early."""

#: Regular expression of a URL without an anchor, at most 512 characters long.
PAGE = r"https?://[^\s#`'\"<>\[\]\\]{1,504}"
