# SPDX-License-Identifier: Apache-2.0
"""The way from installed to enforcing, and back, with a thousand images.

Each figure that a command prints is compared with one that was counted apart
from it.
"""

import io
import re

from story import reporters
from story.telling import NotAsTold, Outcome, output, rows, shown, step

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
    kinds = [_KINDS[number % len(_KINDS)] for number in range(_IMAGES)]
    with_data = [n for n in range(_IMAGES) if n % 100 < _WITH_DATA]
    glance = stage.member.glance.images
    for number, kind in enumerate(kinds):
        # One after another: SQLite does not take two writers.
        image = glance.create(
            name=f"image {number}",
            disk_format="raw",
            container_format="bare",
            **kind,
        )
        if number in with_data:
            glance.upload(image.id, io.BytesIO(b"data"))
    old = _SERVERS // 3
    _boot(stage.member, "clean", _CLEAN, _SERVERS - old)
    _boot(stage.member, "old", _IDE, old)
    stage.counted = {
        # The image of the old servers is one more.
        "violating": kinds.count(_IDE) + 1 + kinds.count(_WORSE),
        "worse": kinds.count(_WORSE),
        "active": sum(kinds[number] == _WORSE for number in with_data),
        "old": old,
        "before": _snapshot(stage),
    }
    text = "{violating} images and {old} servers violate"
    return Outcome("-", text.format(**stage.counted))


def _boot(member, name, kind, count):
    image = member.upload(f"of the {name} servers", **kind)
    member.ask(name, image_id=image.id, min_count=count, max_count=count)
    for server in member.compute().servers():
        shown(member.settle(server, seconds=_LONG))


def _snapshot(stage):
    """Return everything that Glance says of each image, but when it changed.

    :returns: id -> dict
    """
    images = stage.admin.glance.images
    return {
        image.id: {**image, "updated_at": None}
        for hidden in ("false", "true")
        for image in images.list(
            page_size=500, filters={"visibility": "all", "os_hidden": hidden}
        )
    }


@step("mode: audit; openstack vhard image audit --all; server audit")
def audits(stage):
    stage.enforce(_RULES, mode="audit")
    images = _audit(stage)
    servers = _rows(stage, "server", "audit", "--all-projects")
    old = {row["Server"] for row in servers if row["Rule"] != "-"}
    return _same(
        ("images that violate", stage.counted["violating"], len(images)),
        ("servers that violate", stage.counted["old"], len(old)),
    )


@step("mode: enforce; image audit --all --fix --yes; then once more without")
def mends(stage):
    stage.enforce(_RULES)
    fixed = _audit(stage, "--fix", "--yes", "--journal", _journal(stage))
    return _same(
        ("images fixed", stage.counted["violating"], len(fixed)),
        ("images left", stage.counted["worse"], len(_audit(stage))),
    )


@step("image audit --all --deactivate --yes")
def quarantines(stage):
    words = ("--deactivate", "--yes", "--journal", _journal(stage, "second"))
    done = _audit(stage, *words, State="deactivated")
    states = [image["status"] for image in _snapshot(stage).values()]
    active = stage.counted["active"]
    return _same(
        ("images deactivated", active, len(done)),
        ("of them, as Glance says", active, states.count("deactivated")),
    )


@step("mode: audit again; image restore of both journals")
def goes_back(stage):
    stage.enforce(_RULES, mode="audit")
    states = []
    for name in ("second", "first"):
        table = _rows(stage, "image", "restore", _journal(stage, name))
        states.append(len({row["State"] for row in table}))
    before, after = stage.counted["before"], _snapshot(stage)
    different = [key for key in before if before[key] != after.get(key)]
    return _same(
        ("ways that each restore ended", [1, 1], states),
        ("images that differ", 0, len(different)),
        ("images in all", len(before), len(after)),
    )


@step("The reporters run; host list; flavor sync --yes; flavor audit")
def hosts(stage):
    reporters.report(stage.facts, *stage.facts.machines)
    states = [row["Status"] for row in _rows(stage, "host", "list")]
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
    words = ("vhard", "report", f"--html={path}")
    output(stage.admin.command(*words, seconds=_LONG))
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}"
    on_page = set(re.findall(uuid, path.read_text(encoding="utf-8")))
    violating = {
        key
        for key, image in _snapshot(stage).items()
        if image.get("hw_disk_bus") == "ide"
    }
    found = len(violating & on_page)
    return _same(("images on the page", stage.counted["violating"], found))


def _same(*figures):
    """Compare figures with those that were counted apart from them."""
    for what, counted, printed in figures:
        if counted != printed:
            raise NotAsTold(f"{what}: {counted} counted, {printed} printed")
    return Outcome("-", "; ".join(f"{n} {what}" for what, n, _ in figures))


def _audit(stage, *words, **wanted):
    """Return the ids of the audited images that have some columns."""
    table = _rows(stage, "image", "audit", "--all", *words)
    return {row["ID"] for row in table if wanted.items() <= row.items()}


def _rows(stage, *words):
    return rows(stage.admin, *words, seconds=_LONG)


def _journal(stage, name="first"):
    return str(stage.cloud.place.root / f"{name}.journal")
