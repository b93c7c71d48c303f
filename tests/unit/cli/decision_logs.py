# SPDX-License-Identifier: Apache-2.0
"""Logs of services, with decision events as the code writes them."""

import functools
import gzip
import json

from nova_vhard.osc.decision import log as decision_log
from nova_vhard.policy import events
from nova_vhard.policy.subject import BOOT, MOVE, UPLOAD, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import image
from tests.unit import event_lines, helpers

RULES = {
    "disk_bus": {"allow": ["virtio"]},
    "vif_model": {"allow": ["virtio"], "mode": "warn"},
    "video_model": {"allow": ["virtio"], "mode": "audit"},
}
IDE = {"hw_disk_bus": "ide"}
E1000 = {"hw_vif_model": "e1000"}
VGA = {"hw_video_model": "vga"}


def line(form, properties, operation=BOOT, service=False, **who):
    """Return the line of one decision, as the code writes it.

    :param form: as ``written`` takes it, or "journal"
    """
    subject = Subject(operation, **{"project": "p1", "image": "i1", **who})
    rules = helpers.policy(guest_devices=RULES, mode="enforce")
    verdict = evaluate(rules, image.read(properties), subject, helpers.TODAY)
    with event_lines.written(
        "bare" if form == "journal" else form, events.LOG
    ) as stream:
        events.write("nova-api", subject, verdict, 61e-6, service)
    text = stream.getvalue().rstrip("\n")
    if form != "journal":
        return text
    # as journalctl -o json gives it
    return json.dumps(
        {"PRIORITY": "6", "MESSAGE": f"INFO nova_vhard.decisions [-] {text}"}
    )


plain = functools.partial(line, "bare")


def changed(rules, image_id="i1"):
    """Return an event with other rules, or with another image's id."""
    event = json.loads(plain(IDE))
    event["violations"] = [{"mode": "enforce", **rules}]
    event["subject"]["image"] = image_id
    return json.dumps(event)


PREFIX = "2026-11-25 09:14:02.1 1 INFO nova_vhard.decisions [-] "
#: Lines that look like events and cannot be read.
ODD = (
    PREFIX,
    PREFIX + "{",
    PREFIX + plain(IDE)[:-30],
    plain(IDE)[:60],
    PREFIX + "[]",
    PREFIX + "{}",
    PREFIX + plain(IDE).replace('"violations":[', '"violations":[1,'),
    PREFIX + plain(IDE).replace('"operation":"boot"', '"operation":7'),
    PREFIX + '{"a":' * 100_000,
    PREFIX + plain(IDE).replace('"gate"', '"g\x00te"'),
    PREFIX + "x" * (decision_log.LONGEST + 10) + plain(IDE),
)
_DEMANDS = ["passthrough.require", "hosts.require"]
_OF = {"domain": "d", "flavor": "f"}
_LINES = {
    "usual log": [
        plain(IDE),
        plain({**IDE, **E1000}),
        plain({**E1000, **VGA}),
        plain(E1000, project="p2"),
        plain(E1000, image="i2", project="p2"),
        plain({}),
    ],
    "log of two projects": [
        plain({**IDE, **E1000}, **_OF),
        plain(E1000, **_OF),
        plain(E1000, operation=UPLOAD, project="p2"),
    ],
    "log of all modes": [plain({**IDE, **E1000}), plain(VGA)],
    # Servers that exist are moved, and services are let pass.
    "softened log": [
        plain(IDE, operation=MOVE),
        plain(E1000, operation=UPLOAD, service=True),
    ],
    "log of demands": [changed({"rules": _DEMANDS})],
    # as services of an older version write it
    "old log of demands": [changed({"rule": ", ".join(_DEMANDS)})],
    "log of three times": [
        f"{stamp} x nova_vhard.decisions {plain(IDE)}"
        for stamp in (
            "2026-11-25 09:14:02.5",
            "2026-11-24T23:00:00Z",
            "Nov 25 09:00",
        )
    ],
    "log of an outsider": [
        changed({"rules": ["a\nb"]}, "\u202e\x1b[31m" + "x" * 200)
    ],
    **{
        f"{form} log": [line(form, E1000), line(form, IDE)]
        for form in ("bare", "context", "json", "journal")
    },
    **{
        f"odd log {number}": [plain(IDE), odd, plain(E1000)]
        for number, odd in enumerate(ODD)
    },
}
_PACKED = gzip.compress(f"{plain(IDE)}\n".encode())
#: Name of a log to its content.
MADE = {
    "other log": (
        b"2026-11-25 09:14:02 1 INFO nova.api.openstack.requestlog GET /\n"
        b'{"a": 1}\n\xff\xfe\x00\x80\n\n' + plain(IDE).encode()
    ),
    "packed log": _PACKED,
    "packed log that is cut": _PACKED + _PACKED[:-9],
    "packed log that is garbled": _PACKED + b"\xff" * 400,
    # as logrotate compresses with copytruncate
    "log packed in parts": _PACKED * 2,
    **{
        name: "".join(f"{each}\n" for each in lines).encode()
        for name, lines in _LINES.items()
    },
}
