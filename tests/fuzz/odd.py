# SPDX-License-Identifier: Apache-2.0
"""Odd values that are put into valid requests."""

DEEP = 3000
HUGE = "A" * 70_000

#: What looks like a line of a service's log behind a line feed.
LOGGED = (
    "pc\n2026-11-25 09:14:02.123 4711 ERROR nova_vhard.policy.watch [-] x\n"
    '2026-11-25 09:14:02.123 4711 INFO nova_vhard.decisions [-] {"request":'
    'null,"gate":"scheduler","operation":"boot","subject":{},"rules":[],'
    '"violations":[],"mode":null,"outcome":"allow","microseconds":1}'
)

TEXTS = (
    "",
    " ",
    "ide",
    "IDE ",
    "e1000",
    "a\x00b",
    "\ud800",
    "\u202eedi\u202c",
    "\U0001f4a5" * 100,
    "\u0131de",
    LOGGED,
    '\x1b[2J\x1b]0;x\x07\u2028\x85\r{"request": null}',
    "\ufffe\ue000\U000e0041\u00ad" * 50,
    "../../etc/passwd",
    "http://[",
    "//[::1",
    "%s%n{0}{x}",
    "1e999",
    "-1",
    "NaN",
    "9" * 5000,
    "{",
    "[[[[",
    "[" * DEEP,
    '[{"disk_bus": ["ide"], "device_type": {}}]',
    '[{"device_type": "cdrom", "disk_bus": null}]',
    HUGE,
)
VALUES = (
    *TEXTS,
    None,
    True,
    0,
    -1,
    10**400,
    1.5,
    float("inf"),
    float("nan"),
    [],
    {},
    [None],
    [[]],
    {"": ""},
    [{"disk_bus": ["ide"]}],
    # of policies
    *("strict", "*", "warn", "a" * 256, "2030-02-30", "\u0662", "00", "24\n"),
    ["gpu"],
    ["*"],
    {"a": "b"},
    [{"mode": "warn"}],
    {"allow": True},
    {"require": {"iommu": True}},
)
NAMES = (*TEXTS[:12], "hw_disk_bus", "server", "metadata", "__class__")
TYPES = (
    "application/json",
    "application/json; charset=utf-16",
    "text/plain",
    "",
    "multipart/form-data; boundary=",
    "application/x-www-form-urlencoded",
    "\x00",
    ";;;",
)
QUERIES = (
    "",
    "",
    "a=b",
    "_method=PATCH",
    "%5Fmethod=PUT",
    "_method",
    "&&=;%zz=%",
    "method=" + "%ff" * 50,
    "a" * 5000,
)
LENGTHS = ("0", "-1", "abc", "", " 7", "+7", "1_0", "1e3", "99999999999999")
ENCODINGS = ("chunked", "Chunked", "identity", "gzip, chunked", "")
PATHS = ("//", "/./", "/../", "%2f", "\x00", "\n", ";x", "\xff", "/" * 200)
BYTES = (b"\xff", b"\x00", b"\xed\xa0\x80")
