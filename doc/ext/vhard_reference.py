# SPDX-License-Identifier: Apache-2.0
"""Write the parts of the documentation that come from the code.

As a Sphinx extension it writes them to ``_generated`` before the pages are
read: device kinds and shipped policies, which ``admin/policy-reference``
includes, the checklist and the profiles, which ``admin/checks`` includes, the
alerts, which ``admin/monitoring`` includes, the ways round the gates, which
``contributor/faults`` includes, the rules, which ``user/why-was-i-refused``
includes, and the commands of ``openstack vhard``, which ``cli/openstack-
vhard`` includes. It needs no Sphinx itself, so that tests can call it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vhard_alerts import alerts
from vhard_bypasses import bypasses
from vhard_checks import checklist, controls, profiles
from vhard_commands import commands
from vhard_domain import places, untold
from vhard_policies import shipped_policies
from vhard_rst import heading, literals, plain, table
from vhard_rules import rules

from nova_vhard.catalogue.device_words import WORDS
from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.kinds import DeviceKind
from nova_vhard.catalogue.properties import (
    LEGACY_NAMES,
    NOT_DEVICES,
    VMWARE_ADAPTER,
)
from nova_vhard.policy import defaults

FOLDER = "_generated"
#: The kinds that the legacy property of VMware's adapter type chooses.
_ADAPTED = ("disk_bus", "scsi_model")
#: Kinds whose default depends on the guest.
_PICKED = {"scsi_model", "usb_model", *(kind for kind, _ in defaults._PICKS)}
_TYPES = {
    "bool": "``true`` or ``false``",
    "int": "a number",
    "text": "any text",
}


def setup(app: Any) -> dict[str, bool]:
    """Be a Sphinx extension.

    :param app: sphinx.application.Sphinx
    """
    app.connect("builder-inited", lambda one: write(Path(one.srcdir)))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write(source: Path) -> None:
    """Write the parts, each only if it changed.

    :param source: folder of the documentation's source
    """
    folder = source / FOLDER
    folder.mkdir(exist_ok=True)
    for name, text in (
        ("alerts.inc", alerts()),
        ("checklist.inc", checklist()),
        ("commands.inc", commands()),
        ("controls.inc", controls()),
        ("device-kinds.inc", device_kinds()),
        ("device-words.inc", device_words()),
        ("domain.inc", places()),
        ("untold.inc", untold()),
        ("bypasses.inc", bypasses()),
        ("profiles.inc", profiles()),
        ("rules.inc", rules()),
        ("shipped-policies.inc", shipped_policies()),
    ):
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def device_words() -> str:
    """Return what the traits of a device that is not released say."""
    rows = ((f"``{word}``", plain(why)) for word, why in WORDS.items())
    return table(("Word", "Meaning"), rows, (20, 80))


def device_kinds() -> str:
    """Return all device kinds: a table of them, then each in full."""
    rows = (
        (
            f":ref:`{kind.name} <device-kind-{kind.name}>`",
            plain(kind.title),
            literals((*kind.image_properties, *kind.extra_specs))
            or "block devices",
        )
        for kind in KINDS.values()
    )
    head = ("Kind", "What it is", "Set by")
    parts = [table(head, rows, (25, 40, 35))]
    parts += [_kind(kind) for kind in KINDS.values()]
    parts.append(_not_devices())
    return "\n".join(parts)


def _kind(kind: DeviceKind) -> str:
    fields = "\n".join(
        f":{name}: {value}" for name, value in _fields(kind) if value
    )
    title = f".. _device-kind-{kind.name}:\n\n{heading(kind.name)}"
    return f"{title}\n{fields}\n"


def _fields(kind: DeviceKind) -> Iterator[tuple[str, str]]:
    names = kind.image_properties
    legacy = [old for old, new in LEGACY_NAMES.items() if new in names]
    if kind.name in _ADAPTED:
        legacy.append(VMWARE_ADAPTER)
    yield "What it is", plain(kind.title)
    yield "Rule", f"``guest_devices.{kind.name}``"
    yield "Image properties", literals(kind.image_properties)
    yield "Legacy property names", literals(legacy)
    yield "Flavor extra specs", literals(kind.extra_specs)
    if kind.block_device:
        yield "Block devices", "also chosen by a block device mapping"
    yield "Values", _TYPES.get(kind.value_type) or literals(kind.values)
    aliases = (f"``{old}`` for ``{new}``" for old, new in kind.aliases.items())
    yield "Legacy spellings", ", ".join(aliases)
    if kind.fold_case:
        yield "Case", "read in any case, as Nova does"
    if kind.name in _PICKED:
        yield "When nothing is set", "see :ref:`defaults`"
    elif kind.default is not None:
        yield "When nothing is set", f"``{kind.default}``"
    else:
        yield "When nothing is set", f"{kind.unset}; nothing is judged"
    yield "Why", plain(kind.why)
    yield "For the guest", plain(kind.needs)
    yield "To fix", plain(kind.fix)


def _not_devices() -> str:
    rows = ((f"``{name}``", plain(why)) for name, why in NOT_DEVICES.items())
    found = table(("Image property", "Why not"), rows, (40, 60))
    return f"{heading('Image properties that are never judged')}\n{found}"
