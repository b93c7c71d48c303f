# SPDX-License-Identifier: Apache-2.0
"""The way from installed to enforcing, and back, with a thousand images.

Each figure that a command prints is compared with one that was counted apart
from it.
"""

import io
import re

from story import reporters
from story.telling import Outcome, output, rows, same, shown, step

_IMAGES, _SERVERS = 1000, 60
#: How many of each hundred images have data, and can be deactivated.
_WITH_DATA = 10
#: Seconds: many things are changed, on a machine that may be busy.
_LONG = 900
_CLEAN = {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"}
#: One that the policy knows a safe replacement for, and one that it does not.
_IDE = {"hw_disk_bus": "ide"}
_WORSE = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
_KINDS = (_CLEAN, _CLEAN, _IDE, _CLEAN, _CLEAN, _WORSE)
_RULES = """\
guest_devices:
  disk_bus: {allow: [virtio, scsi], replace: {ide: virtio}}
passthrough:
  allow: {aliases: [gpu, fpga]}
"""


@step(
    f"Before the policy: {_IMAGES} images, a third of which ask for ide, some "
    f"for e1000 too, and {_SERVERS} servers, a third of them of an ide image"
)
def before_the_policy(stage):
    ide = worse = active = 0
    for number in range(_IMAGES):
        kind = _KINDS[number % len(_KINDS)]
        data = number % 100 < _WITH_DATA
        # One after another: SQLite does not take two writers.
        _image(stage.member.glance.images, number, kind, data)
        ide += kind is _IDE
        worse += kind is _WORSE
        active += kind is _WORSE and data
    old = _SERVERS // 3
    _boot(stage.member, "clean", _CLEAN, _SERVERS - old)
    _boot(stage.member, "old", _IDE, old)
    # The image of the old servers is one more.
    violating = ide + 1 + worse
    stage.notes |= {"violating": violating, "worse": worse, "active": active}
    stage.notes |= {"old": old, "before": _snapshot(stage)}
    return Outcome("-", f"{violating} images and {old} servers violate")


def _image(glance, number, kind, data):
    image = glance.create(
        name=f"image {number}",
        disk_format="raw",
        container_format="bare",
        **kind,
    )
    if data:
        glance.upload(image.id, io.BytesIO(b"data"))


def _boot(member, name, kind, count):
    image = member.upload(f"of the {name} servers", **kind)
    member.ask(name, image_id=image.id, min_count=count, max_count=count)
    for server in member.compute().servers():
        shown(member.settle(server, seconds=_LONG))


def _snapshot(stage):
    """Return everything that Glance says of each image, but when it changed.

    :returns: id -> dict
    """
    facts = {}
    for hidden in ("false", "true"):
        filters = {"visibility": "all", "os_hidden": hidden}
        images = stage.admin.glance.images
        for image in images.list(page_size=500, filters=filters):
            facts[image.id] = {**image, "updated_at": None}
    return facts


@step("mode: audit; openstack vhard image audit --all; server audit")
def audits(stage):
    stage.enforce(_RULES, mode="audit")
    images = _audit(stage)
    servers = _rows(stage, "server", "audit", "--all-projects")
    old = [row for row in servers if row["Rule"] != "-"]
    return _same(
        ("images that violate", stage.notes["violating"], _ids(images)),
        ("servers that violate", stage.notes["old"], _ids(old)),
    )


@step("mode: enforce; image audit --all --fix --yes; then once more without")
def mends(stage):
    stage.enforce(_RULES)
    fixed = _audit(stage, "--fix", "--yes", _journal(stage, "fix"))
    return _same(
        ("images fixed", stage.notes["violating"], _ids(fixed)),
        ("images left", stage.notes["worse"], _ids(_audit(stage))),
    )


@step("image audit --all --deactivate --yes")
def quarantines(stage):
    journal = _journal(stage, "quarantine")
    table = _audit(stage, "--deactivate", "--yes", journal)
    done = [row for row in table if row["State"] == "deactivated"]
    states = [image["status"] for image in _snapshot(stage).values()]
    active = stage.notes["active"]
    return _same(
        ("images deactivated", active, _ids(done)),
        ("of them, as Glance says", active, states.count("deactivated")),
    )


@step("mode: audit again; image restore of both journals")
def goes_back(stage):
    stage.enforce(_RULES, mode="audit")
    states = []
    for name in ("quarantine", "fix"):
        path = _journal(stage, name).partition("=")[2]
        table = rows(stage.admin, "image", "restore", path, seconds=_LONG)
        states.append(len({row["State"] for row in table}))
    before, after = stage.notes["before"], _snapshot(stage)
    different = [key for key in before if before[key] != after.get(key)]
    return _same(
        ("ways that each restore ended", [1, 1], states),
        ("images that differ", 0, len(different)),
        ("images in all", len(before), len(after)),
    )


@step("The reporters run; host list; flavor sync --yes; flavor audit")
def hosts(stage):
    reporters.report(stage.facts, *stage.facts.machines)
    states = [row["Status"] for row in rows(stage.admin, "host", "list")]
    synced = _rows(stage, "flavor", "sync", "--yes")
    flavors = [row["State"] for row in _rows(stage, "flavor", "audit")]
    machines = len(stage.facts.machines)
    return _same(
        ("hosts that report", machines, states.count("fresh")),
        ("flavors synced", 2, len(synced)),
        ("flavors in sync", 2, flavors.count("in sync")),
    )


@step("openstack vhard report --html report.html")
def report(stage):
    path = stage.cloud.place.root / "report.html"
    words = ("vhard", "report", f"--html={path}", _policy(stage))
    output(stage.admin, *words, seconds=_LONG)
    text = path.read_text(encoding="utf-8")
    ids = set(re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", text))
    violating = {
        key
        for key, image in _snapshot(stage).items()
        if image.get("hw_disk_bus") == "ide"
    }
    counted = stage.notes["violating"]
    return _same(("images on the page", counted, len(ids & violating)))


def _same(*figures):
    return Outcome("-", "; ".join(same(*figure) for figure in figures))


def _audit(stage, *words):
    return _rows(stage, "image", "audit", "--all", *words)


def _rows(stage, *words):
    return rows(stage.admin, *words, _policy(stage), seconds=_LONG)


def _policy(stage):
    return f"--policy={stage.cloud.place.policy}"


def _journal(stage, name):
    return f"--journal={stage.cloud.place.root / name}.journal"


def _ids(table):
    return len({row.get("ID") or row.get("Server") for row in table})
