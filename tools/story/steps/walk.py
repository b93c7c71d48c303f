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
    """Count what violates while it is made."""
    ide = worse = active = 0
    for number in range(_IMAGES):
        kind = _KINDS[number % len(_KINDS)]
        data = number % 100 < _WITH_DATA
        # One after another: SQLite does not take two writers.
        _image(stage, number, kind, data)
        ide += kind is _IDE
        worse += kind is _WORSE
        active += kind is _WORSE and data
    old = _SERVERS // 3
    _boot(stage, "clean", _CLEAN, _SERVERS - old)
    _boot(stage, "old", _IDE, old)
    # The image of the old servers is one more.
    stage.notes |= {"violating": ide + 1 + worse, "old": old}
    stage.notes |= {"worse": worse, "active": active}
    stage.notes["before"] = _snapshot(stage)
    return Outcome("-", f"{ide + 1 + worse} images and {old} servers violate")


def _image(stage, number, kind, data):
    images = stage.member.glance.images
    image = images.create(
        name=f"image {number}",
        disk_format="raw",
        container_format="bare",
        **kind,
    )
    if data:
        images.upload(image.id, io.BytesIO(b"data"))


def _boot(stage, name, kind, count):
    image = stage.member.upload(f"of the {name} servers", **kind)
    many = {"min_count": count, "max_count": count}
    first = stage.member.ask(name, image_id=image.id, **many)
    for server in (first, *stage.member.compute().servers()):
        shown(stage.member.settle(server, seconds=_LONG))


def _snapshot(stage):
    """Return everything that Glance says of each image, but when it changed.

    :returns: id -> dict
    """
    facts = {}
    for hidden in ("false", "true"):
        filters = {"visibility": "all", "os_hidden": hidden}
        images = stage.admin.glance.images
        for image in images.list(page_size=500, filters=filters):
            facts[image.id] = dict(image)
            del facts[image.id]["updated_at"]
    return facts


@step("mode: audit; openstack vhard image audit --all; server audit")
def audits(stage):
    """Know what would break, and nothing changes."""
    stage.enforce(_RULES, mode="audit")
    images = _audit(stage)
    servers = _rows(stage, "server", "audit", "--all-projects")
    old = [row for row in servers if row["Rule"] != "-"]
    return _all_same(
        ("images that violate", stage.notes["violating"], _ids(images)),
        ("servers that violate", stage.notes["old"], _ids(old)),
    )


@step("mode: enforce; image audit --all --fix --yes; then once more without")
def mends(stage):
    """Fix what is safe to fix."""
    stage.enforce(_RULES)
    fixed = _audit(stage, "--fix", "--yes", _journal(stage, "fix"))
    left = _audit(stage)
    return _all_same(
        ("images fixed", stage.notes["violating"], _ids(fixed)),
        ("images left", stage.notes["worse"], _ids(left)),
    )


@step("image audit --all --deactivate --yes")
def quarantines(stage):
    """Have nobody boot what cannot be fixed."""
    table = _audit(
        stage, "--deactivate", "--yes", _journal(stage, "quarantine")
    )
    done = [row for row in table if row["State"] == "deactivated"]
    now = _snapshot(stage).values()
    status = sum(image["status"] == "deactivated" for image in now)
    active = stage.notes["active"]
    return _all_same(
        ("images deactivated", active, _ids(done)),
        ("of them, as Glance says", active, status),
    )


@step("mode: audit again; image restore of both journals")
def goes_back(stage):
    """Roll the policy back, and undo everything."""
    stage.enforce(_RULES, mode="audit")
    states = [
        len({row["State"] for row in _restore(stage, name)})
        for name in ("quarantine", "fix")
    ]
    before, after = stage.notes["before"], _snapshot(stage)
    different = [key for key in before if before[key] != after.get(key)]
    return _all_same(
        ("ways that each restore ended", [1, 1], states),
        ("images that differ", 0, len(different)),
        ("images in all", len(before), len(after)),
    )


@step("The reporters run; host list; flavor sync --yes; flavor audit")
def hosts(stage):
    """Prove the hosts, and tell Placement what flavors need."""
    reporters.report(stage.facts, *stage.facts.machines)
    table = rows(stage.admin, "host", "list")
    fresh = [row for row in table if row["Status"] == "fresh"]
    synced = _rows(stage, "flavor", "sync", "--yes")
    audited = _rows(stage, "flavor", "audit")
    good = [row for row in audited if row["State"] == "in sync"]
    return _all_same(
        ("hosts that report", len(stage.facts.machines), len(fresh)),
        ("flavors synced", 2, len(synced)),
        ("flavors in sync", 2, len(good)),
    )


@step("openstack vhard report --html report.html")
def report(stage):
    """Write it all on one page."""
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
    return _all_same(("images on the page", counted, len(ids & violating)))


def _all_same(*figures):
    return Outcome("-", "; ".join(same(*figure) for figure in figures))


def _audit(stage, *words):
    return _rows(stage, "image", "audit", "--all", *words)


def _restore(stage, name):
    path = _journal(stage, name).partition("=")[2]
    return rows(stage.admin, "image", "restore", path, seconds=_LONG)


def _rows(stage, *words):
    return rows(stage.admin, *words, _policy(stage), seconds=_LONG)


def _policy(stage):
    return f"--policy={stage.cloud.place.policy}"


def _journal(stage, name):
    return f"--journal={stage.cloud.place.root / name}.journal"


def _ids(table):
    return len({row.get("ID") or row.get("Server") for row in table})
