# SPDX-License-Identifier: Apache-2.0
"""Every fault of a policy file, with its line and its place.

The sentences are in ``policy_faults.golden`` (see ``tests/golden.py``).
"""

from pathlib import Path

import pytest

from nova_vhard.common.problems import PolicyError
from nova_vhard.policy import document, release
from tests import golden
from tests.unit.helpers import write

LONG = "x" * 256
WHO = "id: a, reason: r, until: 2030-01-01"
DISK = "rules: {guest_devices.disk_bus: [ide]}"
EXEMPTION = f"- {{{WHO}, projects: [p], {DISK}}}\n"
REPLACE = "guest_devices:\n  disk_bus: {allow: [virtio, sata], replace: "

#: What a policy can say after its version, and the places of its faults.
FAULTS = {
    # YAML
    "mode: [warn": [(3, "")],
    "hosts:\n\tmode: warn": [(3, "")],
    "hosts:\n \tmode: warn": [(3, "")],
    "X\tmode: warn: audit": [(2, "")],
    "hosts:\n    mode: warn\n  trust: reported": [(4, "")],
    "mode: 'warn": [(3, "")],
    "mode: \x07warn": [(2, "")],
    "---\nversion: '1'": [(2, "")],
    "mode: &a warn\nmoves: {hosts: *a}": [(2, ""), (3, "")],
    "hosts: " + "[" * 33 + "]" * 33: [(2, "")],
    "<<: {mode: warn}": [(2, ""), (2, "<<")],
    "? [mode]\n: warn": [(2, "")],
    "mode: !!python/none warn": [(2, "mode")],
    "enabled: !!bool treu": [(2, "enabled")],
    "mode: warn\nmode: audit": [(3, "mode")],
    # Keys and types
    "mode:": [(2, "mode")],
    "mode: ''": [(2, "mode")],
    "mode: enforc": [(2, "mode")],
    "mode: yes": [(2, "mode")],
    "mode: [warn]": [(2, "mode")],
    "mods: warn": [(2, "mods")],
    "strictness: high": [(2, "strictness")],
    "enabled: maybe": [(2, "enabled")],
    "hosts: strict": [(2, "hosts")],
    "hosts: [iommu]": [(2, "hosts")],
    "hosts:": [(2, "hosts")],
    "passthrough: true": [(2, "passthrough")],
    "assume: q35": [(2, "assume")],
    "exemptions: {}": [(2, "exemptions")],
    "projects: audit": [(2, "projects")],
    "guest_devices: none": [(2, "guest_devices")],
    "on_host: {mode: none, hot_plug: warn, unanswered: maybe, hooks: x}": [
        (2, "on_host.hooks"),
        (2, "on_host.hot_plug"),
        (2, "on_host.mode"),
        (2, "on_host.unanswered"),
    ],
    "moves: warn": [(2, "moves")],
    "applies_to: [QEMU]": [(2, "applies_to")],
    "applies_to: {hypervisor_type: ['*']}": [
        (2, "applies_to.hypervisor_type[0]")
    ],
    # Versions and other files
    "requires: soon\nmods: warn": [(2, "requires"), (3, "mods")],
    "requires: [1]": [(2, "requires")],
    "requires: ''": [(2, "requires")],
    # what a newer version knows is not a fault
    "requires: '>=99'\nmods: warn": [(2, "requires")],
    "extends: [a]": [(2, "extends")],
    "extends: ''": [(2, "extends")],
    "extends: nothere\nmods: warn": [(2, "extends"), (3, "mods")],
    f"extends: {'a' * 99}": [(2, "extends")],
    "extends: 'a\0b'": [(2, "")],
    'extends: "a\\0b"': [(2, "extends")],
    "extends: policy.yaml": [(2, "extends")],
    # Hosts
    "hosts: {require: [iommu, iomu, zzz, one_time_use]}": [
        (2, f"hosts.require[{index}]") for index in (1, 2, 3)
    ],
    "passthrough: {require: [one_time_use, one_time]}": [
        (2, "passthrough.require[1]")
    ],
    "passthrough: {allow: {aliases: '?', ports: [vnf]}}": [
        (2, "passthrough.allow.aliases"),
        (2, "passthrough.allow.ports[0]"),
    ],
    "hosts: {max_report_age: 1}": [(2, "hosts.max_report_age")],
    "assume: {architecture: amd64}": [(2, "assume.architecture")],
    "assume: {machine_type: q35}": [(2, "assume.machine_type")],
    "assume:\n  machine_type: {x86-64: q35, x86_64: [q35]}": [
        (3, "assume.machine_type.x86-64"),
        (3, "assume.machine_type.x86_64"),
    ],
    # Devices
    "guest_devices:\n  disk_buss: {allow: [virtio]}": [
        (3, "guest_devices.disk_buss")
    ],
    "guest_devices:\n  disk_bus: {mode: warn}": [
        (3, "guest_devices.disk_bus.allow")
    ],
    "guest_devices:\n  disk_bus: {}\nmods: warn": [
        (3, "guest_devices.disk_bus.allow"),
        (4, "mods"),
    ],
    "guest_devices:\n  pmu: none\n  disk_bus: {}": [
        (3, "guest_devices.pmu"),
        (4, "guest_devices.disk_bus.allow"),
    ],
    "guest_devices:\n  disk_bus: {allow: virtio}": [
        (3, "guest_devices.disk_bus.allow")
    ],
    "guest_devices:\n  vif_model: {allow: [virtoi, 'q*', '', [a], on]}": [
        (3, f"guest_devices.vif_model.allow[{index}]") for index in range(5)
    ],
    f"guest_devices:\n  machine_type: {{allow: [q35, on, {LONG}]}}": [
        (3, "guest_devices.machine_type.allow[1]"),
        (3, "guest_devices.machine_type.allow[2]"),
    ],
    "guest_devices:\n  serial_port_count: {allow: [two, -1, 2]}": [
        (3, "guest_devices.serial_port_count.allow[0]"),
        (3, "guest_devices.serial_port_count.allow[1]"),
    ],
    "guest_devices:\n  pmu: {allow: ['*', enabled, 't*', 'YES', 0, on]}": [
        (3, "guest_devices.pmu.allow[1]"),
        (3, "guest_devices.pmu.allow[2]"),
    ],
    "guest_devices:\n  pmem: {allow: [], explicit: on}": [
        (3, "guest_devices.pmem.explicit")
    ],
    "guest_devices:\n  image_signature_hash:\n    allow: [SHA-256]\n"
    "    replace: {SHA-224: SHA-256}": [
        (5, "guest_devices.image_signature_hash.replace")
    ],
    REPLACE + "ide}": [(3, "guest_devices.disk_bus.replace")],
    REPLACE + "{ide: [a], scsi: on, fdc: , xen: '', uml: 'v*'}}": [
        (3, f"guest_devices.disk_bus.replace.{name}")
        for name in ("fdc", "ide", "scsi", "uml", "xen")
    ],
    REPLACE + f"{{ide: {LONG}, {LONG}: sata}}}}": [
        (3, "guest_devices.disk_bus.replace.ide"),
        (3, f"guest_devices.disk_bus.replace.{LONG[:63]}…"),
    ],
    REPLACE + "{idee: sata, 'i*': sata, '*': sata, ide: scsi}}": [
        (3, "guest_devices.disk_bus.replace.i*"),
        (3, "guest_devices.disk_bus.replace.ide"),
        (3, "guest_devices.disk_bus.replace.idee"),
    ],
    # in the result of two files
    "extends: baseline\nguest_devices:\n  cdrom_bus: {replace: {ide: usb}}": [
        (4, "guest_devices.cdrom_bus.replace.ide")
    ],
    # Nothing follows from a list that has a fault itself.
    "guest_devices:\n  disk_bus:\n    allow: [virtoi]\n    replace: "
    "{ide: virtio}": [(4, "guest_devices.disk_bus.allow[0]")],
    # Projects and exemptions
    "projects:\n- {mode: warn}\n- {projects: []}\n- p\n- {}": [
        (3, "projects[0]"),
        (4, "projects[1].mode"),
        (4, "projects[1].projects"),
        (5, "projects[2]"),
        (6, "projects[3]"),
        (6, "projects[3].mode"),
    ],
    "projects:\n- {mode: enforce, domains: ['*', '', default]}": [
        (3, "projects[0].domains[0]"),
        (3, "projects[0].domains[1]"),
    ],
    "exemptions:\n- {}\n-": [
        (3, "exemptions[0]"),
        *((3, f"exemptions[0].{key}") for key in ("id", "reason", "rules")),
        (3, "exemptions[0].until"),
        (4, "exemptions[1]"),
    ],
    f"exemptions:\n-\n- {{{WHO}, {DISK}}}": [
        (3, "exemptions[0]"),
        (4, "exemptions[1]"),
    ],
    # A key that is missing hides no other fault of the same exemption.
    f"exemptions:\n- {{id: a, until: 2027-02-30, images: [i], {DISK}}}": [
        (3, "exemptions[0].images"),
        (3, "exemptions[0].reason"),
        (3, "exemptions[0].until"),
    ],
    f"exemptions:\n- {{id: a, reason: r, until: soon, roles: [r], {DISK}}}": [
        (3, "exemptions[0].until")
    ],
    f"exemptions:\n- {{{WHO}, {DISK}}}": [(3, "exemptions[0]")],
    f"exemptions:\n- {{{WHO}, projects: p, {DISK}}}": [
        (3, "exemptions[0].projects")
    ],
    f"exemptions:\n- {{{WHO}, flavors: [a, 'gpu.*'], {DISK}}}": [
        (3, "exemptions[0].flavors[1]")
    ],
    f"exemptions:\n- {{{WHO}, servers: [155D900F-4E14-4E4C-A73D-"
    f"069CBF4541E6], {DISK}}}": [(3, "exemptions[0].servers[0]")],
    f"exemptions:\n- {{{WHO}, roles: [r], rules: {{}}}}": [
        (3, "exemptions[0].rules")
    ],
    f"exemptions:\n- {{{WHO}, roles: [r], rules: [ide]}}": [
        (3, "exemptions[0].rules")
    ],
    f"exemptions:\n- {{{WHO}, roles: [r], rules: {{guest_devices.disk_buss: "
    "'*', mode: [warn], guest_devices.disk_bus: ide, guest_devices.vif_model: "
    "{a: b}, guest_devices.pmu: '*'}}": [
        (3, f"exemptions[0].rules.{rule}")
        for rule in (
            "guest_devices.disk_bus",
            "guest_devices.disk_buss",
            "guest_devices.vif_model",
            "mode",
        )
    ],
    f"exemptions:\n- {{{WHO}, roles: [r], rules: {{hosts.require: [aslr], "
    "passthrough.require: [one_time_use, iomu], passthrough.allow: [any], "
    "guest_devices.disk_bus: [ide, idee]}}": [
        (3, "exemptions[0].rules.guest_devices.disk_bus[1]"),
        (3, "exemptions[0].rules.hosts.require[0]"),
        (3, "exemptions[0].rules.passthrough.require[1]"),
    ],
    f"exemptions:\n{EXEMPTION}{EXEMPTION}mods: warn": [
        (4, "exemptions[1].id"),
        (5, "mods"),
    ],
}
#: Files that are not a policy, and the line of the fault.
OTHER = {
    "": (1, ""),
    "- a": (1, ""),
    "a": (1, ""),
    "# a": (1, ""),
    "a: b\n- c": (2, ""),
}
UNVERSIONED = {
    "mode: warn": (1, "version"),
    "version: '2'": (1, "version"),
    "version:": (1, "version"),
}


def faults(folder: Path, text: str) -> list[tuple[int, str, str]]:
    """Return line, place and sentence of each fault in a policy."""
    path = write(folder / "policy.yaml", text)
    with pytest.raises(PolicyError) as caught:
        document.load(path)
    assert {each.file for each in caught.value.problems} == {path}
    return [
        (each.line, each.path, each.message) for each in caught.value.problems
    ]


@pytest.mark.parametrize("text", FAULTS)
def test_places(tmp_path, text):
    found = faults(tmp_path, f'version: "1"\n{text}\n')
    assert [(line, path) for line, path, _ in found] == FAULTS[text]


@pytest.mark.parametrize("text", OTHER | UNVERSIONED)
def test_what_is_not_a_policy(tmp_path, text):
    ((line, path, _),) = faults(tmp_path, text)
    assert (line, path) == (OTHER | UNVERSIONED)[text]


def test_sentences(tmp_path):
    lines = []
    files = {text: f'version: "1"\n{text}\n' for text in FAULTS}
    for text, content in (files | {text: text for text in OTHER}).items():
        shown = text.encode("unicode_escape").decode("ascii")
        lines += ["", *(f"| {line}".rstrip() for line in shown.split("\\n"))]
        for line, path, message in faults(tmp_path, content):
            message = message.replace(str(tmp_path), "FOLDER")
            message = message.replace(str(release.RUNNING), "VERSION")
            lines.append(f"{line}: {path}: {message}")
    text = (
        'version: "1"\nexemptions:\n'
        f"- {{{WHO}, projects: [shop], domains: [Default], images: [debian], "
        f"{DISK}}}\n"
    )
    warnings = document.Reading(write(tmp_path / "ids.yaml", text)).warnings
    lines += ["", *(f"{each.path}: {each.message}" for each in warnings)]
    golden.check(Path(__file__).with_name("policy_faults.golden"), lines)
