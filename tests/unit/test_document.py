# SPDX-License-Identifier: Apache-2.0
"""Policy files: loading, YAML, schemas, and the places of faults."""

import datetime
import importlib.metadata
import logging
import os
import re
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import yaml
from jsonschema import Draft202012Validator
from packaging.version import Version

from nova_vhard.catalogue import checks, devices, profiles
from nova_vhard.common import problems, schema_errors, source, yaml_lines
from nova_vhard.common.json_schema import (
    BOOL,
    NAME,
    NAME_LIMIT,
    TEXT,
    array,
    keys,
    list_or_any,
    mapping,
    titled,
)
from nova_vhard.policy import (
    assemble,
    check,
    document,
    model,
    provenance,
    release,
    watch,
)
from nova_vhard.policy.model import (
    Assume,
    DeviceRule,
    Exemption,
    GuardSettings,
    HostsRule,
    HotPlug,
    Mode,
    PassthroughRule,
    Policy,
    ProjectMode,
    Trust,
    Unanswered,
    Values,
)
from nova_vhard.policy.schema import SCHEMA
from nova_vhard.request import passthrough
from tests import golden
from tests.unit.helpers import policy, write

HEAD = 'version: "1"\n'


def test_extends_merges_mappings_replaces_lists_and_adds_exemptions_up(
    tmp_path,
):
    write(
        tmp_path / "site.yaml",
        """\
        version: "1"
        extends: baseline
        exemptions:
          - {id: a, reason: r, until: 2030-01-01, projects: [p],
             rules: {guest_devices.disk_bus: [ide]}}
        """,
    )
    path = write(
        tmp_path / "policy.yaml",
        """\
        version: "1"
        extends: site.yaml
        guest_devices:
          disk_bus: {mode: warn}
          vif_model: {allow: [virtio, e1000e]}
        exemptions:
          - {id: b, reason: r, until: 2030-01-01, projects: [p],
             rules: {guest_devices.disk_bus: [ide]}}
        """,
    )
    policy = document.load(path)
    rules = policy.guest_devices
    assert rules["disk_bus"].mode is model.Mode.WARN
    assert (
        rules["disk_bus"].allow.listed,
        rules["vif_model"].allow.listed,
    ) == (("virtio", "scsi"), ("virtio", "e1000e"))
    assert [each.id for each in policy.exemptions] == ["b", "a"]
    assert [os.path.basename(name) for name in policy.files] == [
        "policy.yaml",
        "site.yaml",
        "baseline.yaml",
    ]


def test_ids_of_digits_stay_text(tmp_path):
    text = f"{HEAD}projects: [{{projects: [00123, 1e10], mode: audit}}]\n"
    (entry,) = document.load(write(tmp_path / "policy.yaml", text)).projects
    assert entry.projects == {"00123", "1e10"}


BOOLEANS = [
    each.name for each in devices.KINDS.values() if each.value_type == "bool"
]


@pytest.mark.parametrize("value", ["true", "false", "YES", "0"])
def test_any_word_of_true_and_false(value):
    """Exemptions are in test_verdict."""
    rules = policy(guest_devices={name: {"allow": ["*"]} for name in BOOLEANS})
    for name, rule in rules.guest_devices.items():
        assert devices.KINDS[name].canonical(value) in rule.allow
        assert not rule.allow.literals


@pytest.mark.parametrize("name", ["projects", "exemptions"])
def test_a_free_name_that_is_a_section_elsewhere(tmp_path, name):
    rule = f"machine_type: {{allow: [q35], replace: {{{name}: q35}}}}"
    text = f'version: "1"\nguest_devices: {{{rule}}}\n'
    write(tmp_path / "base.yaml", text)
    assert document.load(
        write(tmp_path / "policy.yaml", f"{text}extends: base.yaml\n")
    ).guest_devices["machine_type"].replace == {name: "q35"}


EXEMPTION = (
    "{id: same, reason: r, until: 2030-01-01, projects: [p], "
    "rules: {guest_devices.disk_bus: [ide]}}"
)
EXTENDING = f"{HEAD}extends: base.yaml\n"


@pytest.mark.parametrize(
    ("top", "base", "places"),
    [
        # every fault of every file
        (
            f"{EXTENDING}mode: enforc\nmods: x\n",
            f"{HEAD}guest_devices: {{disk_bus: {{allow: [virtoi]}}}}\n",
            [
                ("base", 2, "guest_devices.disk_bus.allow[0]"),
                ("top", 3, "mode"),
                ("top", 4, "mods"),
            ],
        ),
        # a faulty list is not merged
        (
            f"{EXTENDING}exemptions: [{EXEMPTION}]\n",
            f"{HEAD}exemptions: {{}}\n",
            [("base", 2, "exemptions")],
        ),
        # the merged result
        (
            f"{EXTENDING}exemptions:\n- {EXEMPTION}\n",
            f"{HEAD}exemptions:\n- {EXEMPTION}\n",
            [("base", 3, "exemptions[1].id")],
        ),
        (
            f"{EXTENDING}guest_devices:\n  disk_bus: {{mode: warn}}\n",
            HEAD,
            [("top", 4, "guest_devices.disk_bus.allow")],
        ),
        (
            f"{EXTENDING}guest_devices: {{pmu: {{}}}}\n",
            HEAD,
            [("top", 1, "guest_devices.pmu.allow")],
        ),
        (
            f"{EXTENDING}guest_devices:\n  disk_bus:\n"
            "    replace: {ide: sata}\n",
            f"{HEAD}guest_devices: {{disk_bus: {{allow: [virtio]}}}}\n",
            [("top", 5, "guest_devices.disk_bus.replace.ide")],
        ),
        # the other file adds what is missing
        (
            f"{EXTENDING}guest_devices: {{pmu: {{allow: []}}}}\n",
            f"{HEAD}guest_devices: {{pmu: {{mode: warn}}}}\n",
            [],
        ),
        # files that extend each other, and one that is not there
        (EXTENDING, f"{HEAD}extends: top.yaml\n", [("base", 2, "extends")]),
        (EXTENDING, EXTENDING, [("base", 2, "extends")]),
        (EXTENDING, None, [("top", 2, "extends")]),
        (EXTENDING, "", [("base", 1, "")]),
    ],
)
def test_faults_of_several_files(tmp_path, top, base, places):
    path = write(tmp_path / "top.yaml", top)
    if base is not None:
        write(tmp_path / "base.yaml", base)
    reading = document.Reading(path)
    assert [
        (each.file, each.line, each.path)
        for each in problems.PolicyError(reading.problems).problems
    ] == [
        (str(tmp_path / f"{name}.yaml"), line, place)
        for name, line, place in places
    ]
    assert (reading.policy is None) == bool(places)
    # a file that is not there is looked at too
    assert list(reading.stamps) == [path, str(tmp_path / "base.yaml")]
    assert (reading.stamps[str(tmp_path / "base.yaml")] is None) == (
        base is None
    )


@pytest.mark.parametrize(
    ("name", "line"), [("nothing", 0), (".", 0), ("latin.yaml", 2)]
)
def test_what_cannot_be_read(tmp_path, name, line):
    (tmp_path / "latin.yaml").write_bytes(b"version: '1'\nmode: '\xff'\n")
    with pytest.raises(problems.PolicyError) as caught:
        document.load(str(tmp_path / name))
    (problem,) = caught.value.problems
    place = os.path.abspath(tmp_path / name), line
    assert (problem.file, problem.line) == place


def test_each_file_has_the_limit(tmp_path, monkeypatch):
    write(tmp_path / "base.yaml", f"{HEAD}# {'long ' * 20}\n")
    path = write(tmp_path / "top.yaml", EXTENDING)
    size = os.path.getsize(tmp_path / "base.yaml")
    monkeypatch.setattr(source, "MAX_LIMIT", size)
    assert document.load(path)
    monkeypatch.setattr(source, "MAX_LIMIT", size - 1)
    text = rf"^{tmp_path}/base\.yaml: is larger than \d+ bytes"
    with pytest.raises(problems.PolicyError, match=text):
        document.load(path)


def test_what_one_file_says(tmp_path):
    path = write(tmp_path / "top.yaml", f"{EXTENDING}mode: warn\n")
    assert document.own(path) == {
        "version": provenance.LocatedValue("1", path, 1),
        "extends": provenance.LocatedValue("base.yaml", path, 2),
        "mode": provenance.LocatedValue("warn", path, 3),
    }
    # a file that extends this one can add the list of allowed values
    write(tmp_path / "top.yaml", f"{HEAD}guest_devices: {{pmu: {{}}}}\n")
    assert document.own(path)["guest_devices"] == {"pmu": {}}
    write(tmp_path / "top.yaml", f"{EXTENDING}mode: x\n")
    with pytest.raises(problems.PolicyError):
        document.own(path)


@pytest.mark.parametrize("place", ["check.faults", "assemble.policy"])
def test_a_fault_of_the_package(tmp_path, monkeypatch, place):
    error = RuntimeError("odd\nthing" + "x" * 300)
    monkeypatch.setattr(
        f"nova_vhard.policy.document.{place}", mock.Mock(side_effect=error)
    )
    path = write(tmp_path / "policy.yaml", HEAD)
    reading = document.Reading(path)
    assert (reading.policy, reading.cause) == (None, error)
    assert reading.problems == [
        problems.Problem(
            path,
            1,
            "",
            "cannot be read, because of a bug in nova-vhard: RuntimeError: "
            f"oddthing{'x' * 247}…",
        )
    ]
    content = {} if place == "check.faults" else {"version": "1"}
    assert reading.data == provenance.plain(reading.tree) == content
    with pytest.raises(problems.PolicyError) as caught:
        document.load(path)
    assert caught.value.__cause__ is error


HEX = "0123456789abcdef" * 2
UUID = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
IDS = {
    "projects": {
        HEX: True,
        # LDAP
        HEX * 2: True,
        "shop": False,
        UUID: False,
        HEX.upper(): False,
        HEX[1:]: False,
        "default": False,
    },
    "domains": {HEX: True, "default": True, "Default": False, UUID: False},
    "images": {
        UUID: True,
        UUID.upper(): False,
        UUID.replace("-", ""): False,
        "debian-13": False,
    },
    "flavors": {"m1.small": True},
    "roles": {"admin": True},
}


@pytest.mark.parametrize(
    ("section", "key"),
    [
        *(("projects", key) for key in ("projects", "domains")),
        *(("exemptions", key) for key in IDS),
    ],
)
def test_entries_that_do_not_look_like_an_id(tmp_path, section, key):
    """These are warnings, because another back end can use other ids."""
    known = "" if key == "projects" else f"projects: [{HEX}], "
    start = {
        "projects": "mode: warn",
        "exemptions": "id: a, reason: r, until: 2030-01-01, rules: "
        f"{{guest_devices.disk_bus: '*'}}, {known}",
    }[section].rstrip(", ")
    text = f"- {{{start},\n   {key}: [{', '.join(IDS[key])}]}}\n"
    write(tmp_path / "base.yaml", f"{HEAD}{section}:\n{text}")
    path = write(
        tmp_path / "top.yaml",
        f"{EXTENDING}projects: [{{mode: warn, projects: [shop]}}]\n",
    )
    reading = document.Reading(path)
    assert reading.policy is not None
    assert [
        (each.file, each.line, each.path) for each in reading.warnings
    ] == [
        (path, 3, "projects[0].projects[0]"),
        *(
            (f"{tmp_path}/base.yaml", 4, f"{section}[0].{key}[{index}]")
            for index, good in enumerate(IDS[key].values())
            if not good
        ),
    ]


# Every section of a policy, as it is stored.

CONTENT = {
    "version": "1",
    "enabled": False,
    "mode": "warn",
    "applies_to": {"hypervisor_type": ["VMware"]},
    "assume": {"virt_type": "qemu", "machine_type": {"x86_64": "pc"}},
    "guest_devices": {
        "disk_bus": {
            "allow": ["virtio"],
            "mode": "audit",
            "explicit": True,
            "replace": {"ide": "virtio"},
        },
        "pmu": {"allow": "*"},
        "vif_model": {
            "allow": ["VirtualE1000"],
            "replace": {"VirtualE1000": "VirtIO"},
        },
    },
    "passthrough": {
        "allow": {"aliases": "*", "ports": ["vf"]},
        "require": ["iommu", "one_time_use"],
        "mode": "enforce",
    },
    "hosts": {
        "require": ["smt"],
        "mode": "audit",
        "max_report_age": 5,
        "trust": "attested",
    },
    "moves": {"guest_devices": "audit", "hosts": "enforce"},
    "on_host": {
        "mode": "enforce",
        "hot_plug": "detach",
        "unanswered": "refuse",
    },
    "projects": [
        {"mode": "audit", "projects": ["p1"]},
        {"mode": "enforce", "domains": ["d1"]},
    ],
    "exemptions": [
        {
            "id": "old",
            "reason": "its driver",
            "until": "2027-03-31",
            "rules": {
                "guest_devices.vif_model": ["VirtualE1000"],
                "guest_devices.pmu": "*",
                "hosts.require": ["smt"],
                "passthrough.allow": [7],
            },
            "projects": ["p1"],
            "domains": ["d1"],
            "images": ["i1"],
            "flavors": ["f1"],
            "roles": ["Admin"],
            "servers": ["s1"],
        }
    ],
}
ANY = Values(("*",))
POLICY = Policy(
    digest="",
    files=("a", "b"),
    enabled=False,
    mode=Mode.WARN,
    hypervisor_types=frozenset(("vmware",)),
    assume=Assume(virt_type="qemu", machine_type={"x86_64": "pc"}),
    guest_devices={
        "disk_bus": DeviceRule(
            "guest_devices.disk_bus",
            Values(("virtio",)),
            Mode.AUDIT,
            explicit=True,
            replace={"ide": "virtio"},
        ),
        "pmu": DeviceRule("guest_devices.pmu", ANY),
        "vif_model": DeviceRule(
            "guest_devices.vif_model",
            Values(("e1000",)),
            replace={"e1000": "virtio"},
        ),
    },
    passthrough=PassthroughRule(
        allow={"aliases": ANY, "ports": Values(("vf",))},
        require=frozenset(("iommu",)),
        mode=Mode.ENFORCE,
        of_devices=frozenset(("one_time_use",)),
    ),
    hosts=HostsRule(frozenset(("smt",)), Mode.AUDIT, 5, Trust.ATTESTED),
    moves_guest_devices=Mode.AUDIT,
    moves_hosts=Mode.ENFORCE,
    on_host=GuardSettings(Mode.ENFORCE, HotPlug.DETACH, Unanswered.REFUSE),
    projects=(
        ProjectMode(Mode.AUDIT, projects=frozenset(("p1",))),
        ProjectMode(Mode.ENFORCE, domains=frozenset(("d1",))),
    ),
    exemptions=(
        Exemption(
            "old",
            "its driver",
            datetime.date(2027, 3, 31),
            {
                "guest_devices.vif_model": Values(("e1000",)),
                "guest_devices.pmu": ANY,
                "hosts.require": Values(("smt",)),
                "passthrough.allow": Values(("7",)),
            },
            projects=frozenset(("p1",)),
            domains=frozenset(("d1",)),
            images=frozenset(("i1",)),
            flavors=frozenset(("f1",)),
            roles=frozenset(("admin",)),
            servers=frozenset(("s1",)),
        ),
    ),
)


def kept(content, files=()):
    """Return a policy without its digest, and the digest."""
    policy = assemble.policy(content, list(files))
    digest = policy.digest
    fields = {**vars(policy), "digest": ""}
    return Policy(
        **{name: fields[name] for name in POLICY.__match_args__}
    ), digest


#: The policy of a file without any section.
DEFAULT = Policy(
    digest="",
    enabled=True,
    hypervisor_types=frozenset(("qemu", "kvm")),
    mode=Mode.ENFORCE,
    moves_guest_devices=Mode.WARN,
    moves_hosts=Mode.WARN,
    hosts=HostsRule(max_report_age=2),
    on_host=GuardSettings(Mode.AUDIT, HotPlug.REPORT, Unanswered.ALLOW),
)


def on_host(**fields):
    return replace(DEFAULT, on_host=GuardSettings(**fields))


def of_hypervisors(*names):
    return replace(DEFAULT, hypervisor_types=frozenset(names))


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (CONTENT, POLICY),
        ({}, DEFAULT),
        (
            {"passthrough": {}, "hosts": {}, "on_host": {}, "moves": {}},
            replace(DEFAULT, passthrough=PassthroughRule()),
        ),
        ({"on_host": {"mode": "enforce"}}, on_host(mode=Mode.ENFORCE)),
        (
            {"on_host": {"hot_plug": "detach"}},
            on_host(hot_plug=HotPlug.DETACH),
        ),
        (
            {"on_host": {"unanswered": "refuse"}},
            on_host(unanswered=Unanswered.REFUSE),
        ),
        # libvirt may report either name for a host with KVM
        *(
            ({"applies_to": {"hypervisor_type": named}}, judged)
            for named, judged in (
                (["KVM"], of_hypervisors("kvm", "qemu")),
                (
                    ["Qemu", "ironic"],
                    of_hypervisors("kvm", "qemu", "ironic"),
                ),
                (["VMware"], of_hypervisors("vmware")),
            )
        ),
    ],
)
def test_stored_sections(sections, expected):
    assert kept({"version": "1", **sections}, expected.files)[0] == expected


def test_a_digest_is_of_the_content_in_any_order():
    backwards = dict(reversed(CONTENT.items()))
    digests = [kept(content)[1] for content in (CONTENT, backwards, {})]
    assert digests[0] == digests[1] != digests[2]
    assert [len(digest) for digest in digests] == [16] * 3


# ``replace`` of a rule: replacements for refused values.

TWO = "virtio", "scsi"


@pytest.mark.parametrize(
    ("replaced", "allow", "value", "good"),
    [
        ({"ide": "virtio"}, TWO, "ide", "virtio"),
        ({"ide": "virtio"}, TWO, "sata", None),
        ({"*": "virtio"}, TWO, "sata", "virtio"),
        ({"*": "virtio", "ide": "scsi"}, TWO, "ide", "scsi"),
        ({"*": "virtio", "ide": "scsi"}, TWO, "sata", "virtio"),
        # the value that libosinfo would pick is unknown
        ({"*": "virtio"}, TWO, None, "virtio"),
        ({"ide": "virtio"}, TWO, None, None),
        ({}, TWO, "ide", None),
        # a narrower rule drops replacements that it refuses
        ({"ide": "virtio", "*": "scsi"}, ("scsi",), "ide", None),
        ({"ide": "virtio", "*": "scsi"}, ("scsi",), "sata", "scsi"),
    ],
)
def test_the_replacement_of_a_value(replaced, allow, value, good):
    rule = DeviceRule(
        "guest_devices.disk_bus", Values(allow), replace=replaced
    )
    assert rule.replacement(value) == good


BETWEEN = """\
    version: "1"
    extends: baseline
    mode: warn
    guest_devices: {video_model: {allow: [virtio]}}
    """


def extending(tmp_path, rule, base="baseline"):
    write(tmp_path / "modes.yaml", 'version: "1"\nmode: warn\n')
    write(tmp_path / "between.yaml", BETWEEN)
    return document.load(
        write(
            tmp_path / "policy.yaml",
            f'version: "1"\nextends: {base}\nguest_devices:\n  {rule}\n',
        )
    )


VGA = {"cirrus": "vga", "qxl": "vga", "vmvga": "vga"}
DISK = "disk_bus: {allow: [virtio], replace: {ide: virtio}}"


@pytest.mark.parametrize(
    ("base", "rule", "kind", "kept"),
    [
        ("baseline", "video_model: {allow: [virtio, none]}", "", {}),
        ("baseline", "video_model: {allow: [vga]}", "", VGA),
        ("baseline", 'video_model: {allow: ["v*"]}', "", VGA),
        (
            "baseline",
            "video_model: {allow: [virtio], replace: {qxl: virtio}}",
            "",
            {"qxl": "virtio"},
        ),
        # A file can add replacements to a rule of the extended file.
        (
            "baseline",
            "disk_bus: {replace: {ide: virtio}}",
            "disk_bus",
            {"ide": "virtio"},
        ),
        # The extended file does not need to have rules.
        ("modes.yaml", DISK, "disk_bus", {"ide": "virtio"}),
        # The replacements of an intermediate file are dropped, too.
        ("between.yaml", DISK, "", {}),
        ("between.yaml", DISK, "cdrom_bus", {"ide": "sata"}),
        ("modes.yaml", "disk_bus: {allow: [virtio]}", "disk_bus", {}),
    ],
)
def test_replacements_that_a_narrower_file_does_not_allow_go(
    tmp_path, base, rule, kind, kept
):
    rules = extending(tmp_path, rule, base).guest_devices
    assert dict(rules[kind or "video_model"].replace) == kept


def test_a_preset_is_read_once(monkeypatch):
    """A package that is replaced below a service changes nothing."""
    path = document.shipped("strict")
    digest = document.load(path).digest
    read = mock.Mock(side_effect=OSError)
    monkeypatch.setattr(document.source, "read_text", read)
    assert document.load(path).digest == digest
    monkeypatch.setattr(document.os, "stat", read)
    assert document.stamp(path) is not None


# ``requires``: the running version, and the data stored with a copy.


def run(monkeypatch, version):
    """Set the running version."""
    monkeypatch.setattr(release, "RUNNING", version and Version(version))


@pytest.mark.parametrize(
    ("installed", "running"),
    [
        ("1.2.0.dev5+g1", Version("1.2.0")),
        ("odd", None),
        (importlib.metadata.PackageNotFoundError(), None),
    ],
)
def test_the_version_that_runs_has_no_suffix(monkeypatch, installed, running):
    found = mock.Mock(side_effect=[installed])
    with monkeypatch.context() as patch:
        patch.setattr(importlib.metadata, "version", found)
        importlib.reload(release)
    assert running == release.RUNNING
    found.assert_called_with("nova-vhard")
    importlib.reload(release)


@pytest.mark.parametrize(
    ("version", "wanted", "good"),
    [
        ("1.1.0", ">=1.1", True),
        ("1.1.0", ">=1.0,<2", True),
        ("1.0.0", ">=1.1", False),
        ("2.0.0", ">=1.0,<2", False),
        # the running version is unknown
        (None, ">=1.0", False),
    ],
)
def test_versions(monkeypatch, tmp_path, version, wanted, good):
    run(monkeypatch, version)
    reading = document.Reading(
        write(
            tmp_path / "policy.yaml",
            f'{HEAD}requires: "{wanted}"\nmode: audit\n',
        )
    )
    assert [(each.line, each.path) for each in reading.problems] == (
        [] if good else [(2, "requires")]
    )
    assert (reading.policy is not None) is good


ONE = 'requires: ">=1.0"\n'


@pytest.mark.parametrize(
    ("base", "own", "result"),
    [
        # a single requirement is not changed
        ("", "", None),
        (ONE, "", ">=1.0"),
        ("", ONE, ">=1.0"),
        (ONE, ONE, ">=1.0"),
        # two requirements are combined
        ('requires: ">=1.1"\n', 'requires: ">=1.0,<2"\n', "<2,>=1.0,>=1.1"),
    ],
)
def test_what_two_files_need(monkeypatch, tmp_path, own, base, result):
    run(monkeypatch, "1.1.0")
    write(tmp_path / "base.yaml", f"{HEAD}{base}")
    path = write(tmp_path / "policy.yaml", f"{HEAD}{own}extends: base.yaml\n")
    reading = document.Reading(path)
    assert reading.data.get("requires") == result
    if own:
        stated = reading.tree["requires"]
        assert (stated.file, stated.line) == (path, 2)


#: The requirements of two files: an older version does not use a copy even if
#: the outermost file alone is compatible.
BOTH = ">=1.1,<2,>=1.0"


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (None, ""),
        ([1], ""),
        ({"version": "1", "key": 1}, "key"),
        (
            {"version": "1", "extends": "a", "guest_devices": {"pmu": {}}},
            "guest_devices.pmu.allow",
        ),
        # copies of another version
        ({"version": "2"}, "version"),
        ({"version": "1", "requires": ">=9"}, "requires"),
        ({"version": "1", "requires": BOTH}, "requires"),
    ],
)
def test_a_copy_with_a_fault_is_not_used(monkeypatch, data, place):
    run(monkeypatch, "1.0.0")
    with pytest.raises(problems.PolicyError) as caught:
        document.restore(data, "copy", "1.1.0")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.path) == ("copy", 1, place)


def test_what_all_files_require_fits_into_the_copy(tmp_path):
    for name, major, more in (
        ("base", 8, ""),
        ("top", 9, "extends: base.yaml"),
    ):
        versions = ",".join(f"!={major}.{minor}" for minor in range(60))
        path = write(
            tmp_path / f"{name}.yaml",
            f'{HEAD}{more}\nrequires: "{versions}"\n',
        )
    reading = document.Reading(path)
    copy, faults = document.restore(reading.data, "copy", "1.0.0")
    assert (faults, copy.digest) == ([], reading.good().digest)


BEFORE = f"{HEAD}mode: warn\n"


def stricter(data):
    """Yield a fault for mode warn."""
    if data.get("mode") == "warn":
        yield ("mode",), "'warn' must be enforce"


@pytest.mark.parametrize("copy", [True, False], ids=["copy", "no copy"])
def test_a_rule_that_became_stricter_is_a_warning_first(
    tmp_path, monkeypatch, caplog, copy
):
    caplog.set_level(logging.WARNING, watch.LOG.name)
    state = tmp_path / "policy.json"
    path = write(tmp_path / "policy.yaml", BEFORE)
    if copy:
        watch.PolicyFile(path, str(state)).current()
    monkeypatch.setattr(check, "deprecations", stricter)
    file = watch.PolicyFile(path, str(state))
    assert (file.current().mode, file.error) == ("warn", None)
    text = f"{path}:2: mode: 'warn' must be enforce"
    assert caplog.messages == [text]
    assert [str(each) for each in document.Reading(path).warnings] == [text]


@pytest.mark.refused_policy
@pytest.mark.parametrize(
    ("text", "written", "runs", "holds"),
    [
        (BEFORE, "1.0.0", "1.1.0", True),
        (BEFORE, "1.1.0", "1.1.0", True),
        # the rule may be unknown to this version
        (BEFORE, "1.2.0", "1.1.0", False),
        (BEFORE, "1.0.0", None, False),
        # a copy written by a package without a version
        (BEFORE, None, "0.9.0", True),
        # old and new workers share a copy that breaks no rule
        (f"{HEAD}mode: audit\n", "1.0.0", "1.1.0", True),
        (f"{HEAD}mode: audit\n", "1.1.0", "1.0.0", True),
    ],
)
def test_a_good_copy_holds_in_a_stricter_version(
    monkeypatch, tmp_path, caplog, text, written, runs, holds
):
    caplog.set_level(logging.ERROR, watch.LOG.name)
    state = str(tmp_path / "policy.json")
    path = write(tmp_path / "policy.yaml", text)
    run(monkeypatch, written)
    digest = watch.PolicyFile(path, state).current().digest
    write(tmp_path / "policy.yaml", f"{HEAD}mode: [\n")
    run(monkeypatch, runs)
    # The rule is now an error.
    real = check.conflicts
    monkeypatch.setattr(
        check, "conflicts", lambda *data: (*real(*data), *stricter(data[0]))
    )
    file = watch.PolicyFile(path, state)
    if not holds:
        with pytest.raises(watch.PolicyUnavailable):
            file.current()
        return
    for _ in range(2):
        assert file.current().digest == digest
    start = (
        "The last valid policy stays in force. As a file, this version "
        f"rejects it: {state}:1: mode: 'warn' must"
    )
    assert [each.startswith(start) for each in caplog.messages[1:]] == (
        [True] if text == BEFORE else []
    )


# Profiles of checks, wherever checks are named.

PASSTHROUGH = frozenset(profiles.PROFILES["hosts-passthrough"].checks)


@pytest.mark.parametrize(
    "profile", profiles.PROFILES.values(), ids=list(profiles.PROFILES)
)
def test_a_profile_is_a_set_of_checks_that_exist(profile):
    assert set(profile.checks) <= checks.CHECKS.keys()
    assert len(set(profile.checks)) == len(profile.checks)
    assert profile.name not in checks.CHECKS


PROFILE_POLICY = """
version: "1"
extends: baseline
passthrough: {require: [hosts-passthrough, iommu_strict]}
hosts: {require: [hosts-strict]}
exemptions:
  - id: old-hosts
    reason: no TPM in them
    projects: [p]
    rules: {hosts.require: [hosts-baseline, tpm_measured_boot]}
    until: 2099-01-01
"""


def test_in_a_policy(tmp_path):
    policy = document.load(write(tmp_path / "policy.yaml", PROFILE_POLICY))
    assert (policy.passthrough.require, policy.hosts.require) == (
        (PASSTHROUGH | {"iommu_strict"}),
        set(profiles.PROFILES["hosts-strict"].checks),
    )
    lifted = policy.exemptions[0].rules["hosts.require"]
    assert [
        name in lifted
        for name in (("tpm_measured_boot", "qemu_relro", "qemu_minimal"))
    ] == [True, True, False]


# The line of each value of a policy.


class Lines:
    """Lines of a file: as many as a path has names, and ten."""

    @staticmethod
    def of(path):
        return 10 + len(path)


TREE_CONTENT = {
    "mode": "warn",
    "guest_devices": {"disk_bus": {"allow": ["virtio", "scsi"]}},
    "exemptions": [{"id": "a", "roles": ["x"]}, {"id": "b"}],
    "projects": [],
}
TREE = {
    "mode": provenance.LocatedValue("warn", "f", 11),
    "guest_devices": {
        "disk_bus": {
            "allow": provenance.LocatedValue(["virtio", "scsi"], "f", 13)
        }
    },
    "exemptions": [
        {
            "id": provenance.LocatedValue("a", "f", 13),
            "roles": provenance.LocatedValue(["x"], "f", 13),
        },
        {"id": provenance.LocatedValue("b", "f", 13)},
    ],
    "projects": [],
}


def test_every_value_with_its_path():
    assert list(provenance.values(TREE)) == [
        (("mode",), TREE["mode"]),
        (
            ("guest_devices", "disk_bus", "allow"),
            TREE["guest_devices"]["disk_bus"]["allow"],
        ),
        (("exemptions", 0, "id"), provenance.LocatedValue("a", "f", 13)),
        (("exemptions", 0, "roles"), provenance.LocatedValue(["x"], "f", 13)),
        (("exemptions", 1, "id"), provenance.LocatedValue("b", "f", 13)),
    ]


ALLOWED = TREE["guest_devices"]["disk_bus"]["allow"]
ASKED = "hosts-passthrough, kernel_aslr"


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        # a path is not changed, and a shipped policy has a name
        (document.resolve, ("a.yaml",), "a.yaml"),
        (document.resolve, ("a.yaml", "/etc"), "/etc/a.yaml"),
        (document.resolve, ("strict", "/e"), document.shipped("strict")),
        # a profile is replaced by its checks
        (
            profiles.expand,
            (["hosts-passthrough", "kernel_aslr", "novel"],),
            {*PASSTHROUGH, "kernel_aslr", "novel"},
        ),
        (
            passthrough.host_checks,
            ({"vhard:require": ASKED},),
            PASSTHROUGH | {"kernel_aslr"},
        ),
        # each value has its place
        (provenance.tree, (TREE_CONTENT, "f", Lines), TREE),
        (
            provenance.tree,
            ({"hosts": {"projects": ["p"]}, "requires": ["q"]}, "f", Lines),
            {
                "hosts": {"projects": provenance.LocatedValue(["p"], "f", 12)},
                "requires": provenance.LocatedValue(["q"], "f", 11),
            },
        ),
        (provenance.plain, (TREE,), TREE_CONTENT),
        # the value at a path, or at its nearest parent
        (provenance.find, (TREE, ()), TREE["mode"]),
        (provenance.find, (TREE, ("mode",)), TREE["mode"]),
        (provenance.find, (TREE, ("guest_devices",)), ALLOWED),
        (
            provenance.find,
            (TREE, ("guest_devices", "disk_bus", "allow", 1)),
            ALLOWED,
        ),
        (
            provenance.find,
            (TREE, ("exemptions", 1)),
            TREE["exemptions"][1]["id"],
        ),
        (
            provenance.find,
            (TREE, ("guest_devices", "disk_bus", "mode")),
            ALLOWED,
        ),
        (
            provenance.find,
            (TREE, ("exemptions", 2)),
            TREE["exemptions"][0]["id"],
        ),
        (provenance.find, (TREE, ("passthrough", "allow")), TREE["mode"]),
        (
            provenance.find,
            (TREE, ("passthrough", "exemptions")),
            TREE["mode"],
        ),
        (provenance.find, (TREE, ("projects",)), None),
        # the nearest name
        *(
            (problems.nearest, (word, known), f" (did you mean '{near}'?)")
            for word, known, near in (
                ("virtoi", ["virtio-scsi", "virtio", "virt"], "virtio"),
                (321, ["32"], "32"),
                ("a" * 64, ["a" * 63], "a" * 63),
            )
        ),
        (problems.nearest, (None, ["virtio"]), ""),
        # a long word would take too much time
        (problems.nearest, ("a" * 65, ["a" * 63]), ""),
    ],
)
def test_return_values(function, arguments, expected):
    assert function(*arguments) == expected


# A value of another type at every place of a policy file.


def places(schema, path=()):
    """Yield the path and the subschema of every key in a schema."""
    for key, below in schema.get("properties", {}).items():
        yield (*path, key), below
        yield from places(below, (*path, key))
    items = schema.get("items")
    if isinstance(items, dict):
        yield (*path, 0), items
        yield from places(items, (*path, 0))


#: Path to the types that are valid there.
PLACES = {
    path: {schema.get("type", "string")}
    if isinstance(schema.get("type", ""), str)
    else set(schema["type"])
    for path, schema in places(SCHEMA)
    if path[0] != "guest_devices" or path[1:2] in ((), ("disk_bus",))
}
TYPES = {
    "object": {"zzz": "zzz"},
    "array": [["zzz"]],
    "string": "zzz",
    "boolean": True,
    "null": None,
}


@pytest.mark.parametrize("path", PLACES, ids=problems.spell)
def test_a_value_of_another_type_is_named_at_every_place(path):
    for kind in TYPES.keys() - PLACES[path]:
        data = TYPES[kind]
        for key in reversed(path):
            data = [data] if key == 0 else {key: data}
        found = dict(check.faults({"version": "1", **data}))
        assert "must be" in found[path]
        assert not [word for word in (*TYPES, "None") if word in found[path]]


# Faults of policy files, with their places.

LONG = "x" * 256
WHO = "id: a, reason: r, until: 2030-01-01"
LIFT = "rules: {guest_devices.disk_bus: [ide]}"
FAULT_EXEMPTION = f"- {{{WHO}, projects: [p], {LIFT}}}\n"
REPLACE = "guest_devices:\n  disk_bus: {allow: [virtio, sata], replace: "

#: Text of a policy after its version, and the places of its faults.
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
    # a key that a newer version may know is not a fault
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
    "extends: baseline\nguest_devices:\n  vif_model: {mode: hard}\n"
    "  disk_bus: {allow: [virtio], replace: {ide: sata}}": [
        (4, "guest_devices.vif_model.mode"),
        (5, "guest_devices.disk_bus.replace.ide"),
    ],
    "guest_devices:\n"
    "  disk_bus: {allow: [virtio], replace: {'*': sata}}\n"
    "  serial_port_count: {allow: ['*'], replace: {two: 1, 2: few}}\n"
    "  vif_model:\n    allow: ['*']\n"
    "    replace: {e1000: virtoi, pcnet: '*', 'e1000*': virtio}\n"
    "  machine_type: {allow: ['*'], replace: {'*': 'pc-q35-*'}}": [
        (3, "guest_devices.disk_bus.replace.*"),
        (4, "guest_devices.serial_port_count.replace.2"),
        (4, "guest_devices.serial_port_count.replace.two"),
        (7, "guest_devices.vif_model.replace.e1000"),
        (7, "guest_devices.vif_model.replace.e1000*"),
        (7, "guest_devices.vif_model.replace.pcnet"),
        (8, "guest_devices.machine_type.replace.*"),
    ],
    # A list with a fault causes no further faults.
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
    f"exemptions:\n-\n- {{{WHO}, {LIFT}}}": [
        (3, "exemptions[0]"),
        (4, "exemptions[1]"),
    ],
    # A missing key hides no other fault of the same exemption.
    f"exemptions:\n- {{id: a, until: 2027-02-30, images: [i], {LIFT}}}": [
        (3, "exemptions[0].images"),
        (3, "exemptions[0].reason"),
        (3, "exemptions[0].until"),
    ],
    f"exemptions:\n- {{id: a, reason: r, until: soon, roles: [r], {LIFT}}}": [
        (3, "exemptions[0].until")
    ],
    f"exemptions:\n- {{{WHO}, {LIFT}}}": [(3, "exemptions[0]")],
    f"exemptions:\n- {{{WHO}, projects: p, {LIFT}}}": [
        (3, "exemptions[0].projects")
    ],
    f"exemptions:\n- {{{WHO}, flavors: [a, 'gpu.*'], {LIFT}}}": [
        (3, "exemptions[0].flavors[1]")
    ],
    f"exemptions:\n- {{{WHO}, servers: [155D900F-4E14-4E4C-A73D-"
    f"069CBF4541E6], {LIFT}}}": [(3, "exemptions[0].servers[0]")],
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
    f"exemptions:\n{FAULT_EXEMPTION}{FAULT_EXEMPTION}mods: warn": [
        (4, "exemptions[1].id"),
        (5, "mods"),
    ],
}
#: Files that are not a policy, and the place of the fault.
OTHER = {
    "": [(1, "")],
    "- a": [(1, "")],
    "a": [(1, "")],
    "# a": [(1, "")],
    "a: b\n- c": [(2, "")],
}
UNVERSIONED = {
    "mode: warn": [(1, "version")],
    "version: '2'": [(1, "version")],
    "version:": [(1, "version")],
}
#: Text of a file, its text in the golden file, and the places of its faults.
FILES = [
    *((f"{HEAD}{text}\n", text, FAULTS[text]) for text in FAULTS),
    *((text, text, OTHER[text]) for text in OTHER),
]


def faults(folder: Path, text: str) -> list[tuple[int, str, str]]:
    """Return line, place and message of each fault in a policy."""
    path = write(folder / "policy.yaml", text)
    with pytest.raises(problems.PolicyError) as caught:
        document.load(path)
    assert {each.file for each in caught.value.problems} == {path}
    return [
        (each.line, each.path, each.message) for each in caught.value.problems
    ]


@pytest.mark.parametrize("text", UNVERSIONED)
def test_a_file_without_a_version(tmp_path, text):
    assert [each[:2] for each in faults(tmp_path, text)] == UNVERSIONED[text]


def test_places_and_sentences(tmp_path):
    lines = []
    for content, text, places in FILES:
        shown = text.encode("unicode_escape").decode("ascii")
        lines += ["", *(f"| {line}".rstrip() for line in shown.split("\\n"))]
        found = faults(tmp_path, content)
        assert [each[:2] for each in found] == places, text
        for line, path, message in found:
            message = re.sub(
                # PyYAML and libyaml have words of their own.
                r"(?<=cannot be parsed: )[^;]+",
                "...",
                message.replace(str(tmp_path), "FOLDER").replace(
                    str(release.RUNNING), "VERSION"
                ),
            )
            lines.append(f"{line}: {path}: {message}")
    text = (
        f"{HEAD}exemptions:\n"
        f"- {{{WHO}, projects: [shop], domains: [Default], images: [debian], "
        f"{LIFT}}}\n"
    )
    warnings = document.Reading(write(tmp_path / "ids.yaml", text)).warnings
    lines += ["", *(f"{each.path}: {each.message}" for each in warnings)]
    golden.check(Path(__file__).with_name("policy_faults.golden"), lines)


# Faults that a schema finds: their places and messages.


def named(count):
    return keys(**{f"k{number}": TEXT for number in range(count)})


TEN = "a mapping with k0, k1, k2, k3, k4, k5, k6, k7, k8, k9"


def test_what_a_schema_wants():
    # Make the schemas in the test: no mutant is active on import.
    for schema, text in (
        (named(1), "a mapping with k0"),
        (named(10), TEN),
        (named(11), f"{TEN}, …"),
        (named(12), f"{TEN}, …"),
        (named(0), "a mapping"),
        (mapping(NAME), "a mapping"),
        (array(TEXT), "a list"),
        (TEXT, "text"),
        (BOOL, "true or false"),
        ({"type": "integer"}, "a whole number"),
        ({"type": ["string", "boolean"]}, "text or true or false"),
        ({"type": ["number", "null"]}, "a number or nothing"),
        ({"type": "odd"}, "odd"),
        ({}, "text"),
        ({"enum": ["1"]}, "1"),
        ({"enum": ["a", "b"]}, "one of a, b"),
        ({"enum": ["a", "b", 3]}, "one of a, b, 3"),
        (list_or_any(NAME), 'a list or "*"'),
        (titled(named(1), "a rule"), "a rule"),
    ):
        assert schema_errors.describe(schema) == text


OVERLONG = "x" * (NAME_LIMIT + 1)
REQUIRED = keys("a", "c", a=TEXT, b=TEXT, c=BOOL)
NUMBER = {"type": "string", "pattern": "^[0-9]+$", "title": "a number"}


def test_schema_places():
    any_names = list_or_any(NAME)
    for schema, value, places in (
        (array(TEXT), [], []),
        (array(TEXT), ["a", ""], [(1,)]),
        (array(TEXT), "a", [()]),
        (array(TEXT, least=1), [], [()]),
        (array(TEXT, least=1), ["a"], []),
        (mapping(TEXT), {}, []),
        (mapping(TEXT), {"a": ""}, [("a",)]),
        (mapping(TEXT), {OVERLONG[1:]: "b"}, []),
        (mapping(TEXT), {OVERLONG: "b"}, [(OVERLONG,)]),
        (mapping(TEXT), {OVERLONG: ""}, [(OVERLONG,)]),
        (mapping(TEXT), "a", [()]),
        (mapping(TEXT), ["a"], [()]),
        (any_names, "*", []),
        (any_names, [], []),
        (any_names, ["a", ""], [(1,)]),
        *((any_names, value, [()]) for value in ("a", "a*", "**", "*\n")),
        (any_names, {}, [()]),
        (any_names, True, [()]),
        (titled(BOOL, "a switch"), "A", [()]),
        (REQUIRED, {"a": "b", "c": True}, []),
        # each missing and unknown key is a fault of its own
        (REQUIRED, {}, [("a",), ("c",)]),
        (
            REQUIRED,
            {"a": "", "x": 1, "y": 1},
            [("a",), ("c",), ("x",), ("y",)],
        ),
        (REQUIRED, "x", [()]),
        # a schema of another package, such as that of a step of the cleaner
        ({"additionalProperties": False}, {"x": 1}, [("x",)]),
        ({"required": ["a"]}, {}, [("a",)]),
        # a value that breaks two keywords is one fault
        ({**NUMBER, "maxLength": 3}, "four", [()]),
        ({**NUMBER, "enum": ["1", "2"]}, None, [()]),
    ):
        faults = list(
            schema_errors.schema_faults(value, Draft202012Validator(schema))
        )
        assert sorted(path for path, _ in faults) == places, (schema, value)
        assert all(message for _, message in faults)


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        ({"enum": ["warn", "audit"]}, "Warn", ["'Warn'", "audit", "'warn'"]),
        ({"enum": ["warn", "audit"]}, True, ["'true'"]),
        (BOOL, "Maybe", ["'Maybe'", "true or false"]),
        (NUMBER, "ten", ["'ten'", "a number"]),
        (REQUIRED, {"aa": "", "c": True}, ["'a'"]),
        (REQUIRED, {"zzz": "", "a": "b", "c": True}, ["a, b, c"]),
        # we have no message of our own for this keyword
        ({"minimum": 3}, 2, ["less than the minimum of 3"]),
        ({"const": "x" * 300}, 1, ["x" * 190]),
    ],
)
def test_words(schema, value, words):
    text = " ".join(
        text
        for _, text in schema_errors.schema_faults(
            value, Draft202012Validator(schema)
        )
    )
    assert [word for word in words if word not in text] == []
    assert len(text) <= 200


@pytest.mark.parametrize(
    ("path", "text", "place", "message"),
    [
        ((), "is odd", "", "is odd"),
        (("a", 0, "b\nc"), "is odd", "a[0].bc", "is odd"),
        ((7, "a"), "is odd", "[7].a", "is odd"),
        # a key is truncated, and so is the whole path
        (("a" * 70,), "is odd", "a" * 63 + "…", "is odd"),
        (
            ("a" * 70, 3, *["b" * 60] * 5),
            "is odd",
            ("a" * 63 + "…[3]" + f".{'b' * 60}" * 5)[:255] + "…",
            "is odd",
        ),
        # a message is truncated and sanitized
        (("a",), "x" * 512, "a", "x" * 512),
        (("a",), "x" * 513, "a", "x" * 511 + "…"),
        (("a",), "a\nb\u202e", "a", "ab"),
    ],
    ids=["none", "plain", "number", "key", "deep", "fits", "long", "odd"],
)
def test_a_fault_is_bounded(path, text, place, message):
    fault = problems.problem("p.yaml", 2, path, text)
    assert fault == problems.Problem("p.yaml", 2, place, message)
    at = f"{place}: " if place else ""
    assert str(fault) == f"p.yaml:2: {at}{message}"


@pytest.mark.parametrize("count", [1, 20, 21, 150])
def test_the_text_of_an_error_names_the_first_faults(count):
    faults = [
        problems.problem("p.yaml", number + 1, ("mode",), f"is wrong {number}")
        for number in range(count)
    ]
    error = problems.PolicyError([*reversed(faults), faults[0]])
    assert error.problems == tuple(faults)
    parts = str(error).split("; ")
    assert (parts[:20], parts[20:]) == (
        [str(each) for each in faults[:20]],
        ([f"and {count - 20} more"] if count > 20 else []),
    )


# YAML as plain data: the parsed values, and the place of each fault.

# The first loader exists if PyYAML was built with libyaml.
LOADERS = [
    getattr(yaml, name)
    for name in ("CSafeLoader", "SafeLoader")
    if hasattr(yaml, name)
]
DEEPEST = yaml_lines.MAX_DEPTH


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def reported(request, monkeypatch):
    """Return a function that parses a text into data and fault places."""
    monkeypatch.setattr(yaml_lines, "_LOADER", request.param)

    def read(text):
        faults = []
        data, _ = yaml_lines.read(text, lambda *fault: faults.append(fault))
        assert all(message for *_, message in faults)
        return data, [(line, path) for line, path, _ in faults]

    return read


#: Text, and its data.
PARSED = [
    ("", None),
    ("# nothing\n", None),
    (
        "a:\nb: ~\nc: null\nd: ''\n",
        {"a": None, "b": None, "c": None, "d": ""},
    ),
    ("[yes, On, TRUE, no, Off, FALSE]", [True] * 3 + [False] * 3),
    ("['yes', y, nO]", ["yes", "y", "nO"]),
    (
        "[00123, 0x1f, 1e10, 1.50, 2027-01-01]",
        ["00123", "0x1f", "1e10", "1.50", "2027-01-01"],
    ),
    ("[=, '<<', <<]", ["=", "<<", "<<"]),
    ("yes: b\n1: c\n", {"yes": "b", "1": "c"}),
    ("'<<': a\n", {"<<": "a"}),
    (
        "[!!str 1, !!int 1, ! b, !!bool Yes, !!null x]",
        ["1", "1", "b", True, None],
    ),
    ("a: !!seq [b]\nc: !!map {d: e}\n", {"a": ["b"], "c": {"d": "e"}}),
    ("[" * DEEPEST + "]" * DEEPEST, mock.ANY),
]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a: b\nc: [\n", [3]),
        ("a: 'b", [1]),
        ("a: b\n--- \nc: d\n", [2]),
        ("a: !x!y b\n", [1]),
        # every anchor and alias
        ("a: [b, &c d]\ne: *c\nf: &g h\n", [1, 2, 3]),
        ("a: &a [*a]\n", [1, 1]),
        ("? &a b\n: c\n*a : d\n", [1, 3]),
        ("a:\n  " + "[" * DEEPEST + "]" * DEEPEST, [2]),
        ("- " * (DEEPEST + 1), [1]),
        # The maximum depth does not end the search.
        ("[" * DEEPEST + "&a x,\n&b y" + "]" * DEEPEST, [1, 2]),
        ("a:\n  " + "[" * (DEEPEST + 3) + "]" * (DEEPEST + 3), [2]),
        ("a:\n  - b\n - c\n", [3]),
        ("a:\n    b: c\n   d: e\n", [3]),
        ("a: b\n\tc: d\n", [2]),
        ("a: b\x85\tc: d\n", [2]),
        ("a: ä\nb: \x07\nc: \x07\n", [2]),
        ("\n\n\n\x07", [4]),
    ],
)
def test_what_cannot_be_parsed(reported, text, lines):
    assert reported(text) == (None, [(line, ()) for line in lines])


@pytest.mark.parametrize(
    ("text", "data", "places"),
    [
        *((text, data, []) for text, data in PARSED),
        ("a: b\na: c\na: d\n", {"a": "d"}, [(2, ("a",)), (3, ("a",))]),
        ("- {a: b, a: c}\n", [{"a": "c"}], [(1, (0, "a"))]),
        ("a:\n  ? [b]\n  : c\n", {"a": {}}, [(2, ("a",))]),
        ("? {b: c}\n: d\ne: f\n", {"e": "f"}, [(1, ())]),
        ("a:\n  <<: {b: c}\n", {"a": {"<<": {"b": "c"}}}, [(2, ("a",))]),
        ("a: !!bool treu\n", {"a": False}, [(1, ("a",))]),
        ("a: !!bool ''\n", {"a": False}, [(1, ("a",))]),
        ("a: b\nc: !!python/none d\n", {"a": "b", "c": "d"}, [(2, ("c",))]),
        (
            "a: !!binary b\nc: !d e\n",
            {"a": "b", "c": "e"},
            [(1, ("a",)), (2, ("c",))],
        ),
        (
            "- !!set {d}\n- !mine [d]\n",
            [{"d": None}, ["d"]],
            [(1, (0,)), (2, (1,))],
        ),
        ("- !!str [d]\n- !!map d\n", [["d"], "d"], [(1, (0,)), (2, (1,))]),
    ],
)
def test_parsed_data(reported, text, data, places):
    assert reported(text) == (data, places)


def test_lines(reported):
    _, lines = yaml_lines.read(
        "\na: b\nc:\n  - d\n  - e:\n      f\ng:\n  h: i\n", print
    )
    wanted = {
        (): 2,
        ("a",): 2,
        ("c",): 3,
        ("c", 0): 4,
        ("c", 1): 5,
        ("c", 1, "e"): 5,
        ("g",): 7,
        ("g", "h"): 8,
        # missing: the line of the nearest parent
        ("g", "x", "y"): 7,
        ("c", 2): 3,
        ("x",): 2,
    }
    assert {path: lines.of(path) for path in wanted} == wanted
    assert yaml_lines.Lines({}).of(("a",)) == 1
