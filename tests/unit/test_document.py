# SPDX-License-Identifier: Apache-2.0
"""Loading a policy file and the files that it extends.

The faults of a single file are tested in ``test_policy_faults.py``.
"""

import os

import pytest

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common import source
from nova_vhard.common.problems import PolicyError
from nova_vhard.policy import check, document, provenance
from nova_vhard.policy.model import HotPlug, Mode, OnHost, Unanswered
from tests.unit.helpers import NEWER, judge, policy, write


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
    disk_bus = policy.guest_devices["disk_bus"]
    assert disk_bus.mode is Mode.WARN
    assert disk_bus.allow.listed == ("virtio", "scsi")
    assert policy.guest_devices["vif_model"].allow.listed == (
        "virtio",
        "e1000e",
    )
    assert [each.id for each in policy.exemptions] == ["b", "a"]
    assert [name.rpartition("/")[2] for name in policy.files] == [
        "policy.yaml",
        "site.yaml",
        "baseline.yaml",
    ]


def test_what_is_not_written_has_a_value_of_its_type(tmp_path):
    text = "version: '1'\nguest_devices: {disk_bus: {allow: [virtio]}}\n"
    policy = document.load(write(tmp_path / "policy.yaml", text))
    assert policy.guest_devices["disk_bus"].explicit is False
    assert {
        "enabled": policy.enabled,
        "hypervisor_types": policy.hypervisor_types,
        "mode": policy.mode,
        "moves": (policy.moves_guest_devices, policy.moves_hosts),
        "max_report_age": policy.hosts.max_report_age,
        "on_host": policy.on_host,
    } == {
        "enabled": True,
        "hypervisor_types": {"qemu", "kvm"},
        "mode": Mode.ENFORCE,
        "moves": (Mode.WARN, Mode.WARN),
        "max_report_age": 2,
        "on_host": OnHost(Mode.AUDIT, HotPlug.REPORT, Unanswered.ALLOW),
    }


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{mode: enforce}", OnHost(Mode.ENFORCE)),
        ("{hot_plug: detach}", OnHost(hot_plug=HotPlug.DETACH)),
        ("{unanswered: refuse}", OnHost(unanswered=Unanswered.REFUSE)),
    ],
)
def test_section_on_host(tmp_path, section, expected):
    text = f"version: '1'\nextends: strict\non_host: {section}\n"
    path = write(tmp_path / "policy.yaml", text)
    assert document.load(path).on_host == expected


def test_ids_of_digits_stay_text(tmp_path):
    path = write(
        tmp_path / "policy.yaml",
        """\
        version: "1"
        projects:
          - {projects: [00123, 1e10, 2027-01-01], mode: audit}
        """,
    )
    wanted = document.load(path).projects[0].projects
    assert wanted == {"00123", "1e10", "2027-01-01"}


def test_the_digest_follows_the_content_only(tmp_path):
    each = write(tmp_path / "a.yaml", "version: '1'\nmode: warn\n")
    same = write(tmp_path / "b.yaml", "# a comment\nmode: warn\nversion: 1\n")
    other = write(tmp_path / "c.yaml", "version: '1'\nmode: audit\n")
    digests = [document.load(path).digest for path in (each, same, other)]
    assert digests[0] == digests[1] != digests[2]


def test_a_path_is_as_it_is_and_a_shipped_policy_has_a_name():
    assert document.resolve("a.yaml") == "a.yaml"
    assert document.resolve("a.yaml", "/etc") == "/etc/a.yaml"
    assert document.resolve("strict", "/etc") == document.shipped("strict")


@pytest.mark.parametrize("value", ["true", "false", "YES", "0"])
def test_any_word_of_true_and_false(value):
    kinds = [kind for kind in KINDS.values() if kind.value_type == "bool"]
    for kind in kinds:
        rules = policy(guest_devices={kind.name: {"allow": ["*"]}})
        allow = rules.guest_devices[kind.name].allow
        assert kind.canonical(value) in allow
        assert not allow.literals


def test_any_word_of_true_and_false_in_an_exemption():
    entry = {
        "id": "a",
        "reason": "r",
        "until": "2030-01-01",
        "projects": ["p1"],
        "rules": {"guest_devices.pmu": ["*"]},
    }
    rules = policy(
        guest_devices={"pmu": {"allow": ["false"]}}, exemptions=[entry]
    )
    assert judge(rules, {"hw_pmu": "true"}).violations == ()


@pytest.mark.parametrize("name", ["projects", "exemptions"])
def test_a_free_name_that_is_a_section_elsewhere(tmp_path, name):
    rule = f"machine_type: {{allow: [q35], replace: {{{name}: q35}}}}"
    text = f'version: "1"\nguest_devices: {{{rule}}}\n'
    write(tmp_path / "base.yaml", text)
    path = write(tmp_path / "policy.yaml", f"{text}extends: base.yaml\n")
    replace = document.load(path).guest_devices["machine_type"].replace
    assert replace == {name: "q35"}


HEAD = 'version: "1"\n'
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
    problems = PolicyError(reading.problems).problems
    assert [(each.file, each.line, each.path) for each in problems] == [
        (str(tmp_path / f"{name}.yaml"), line, place)
        for name, line, place in places
    ]
    assert (reading.policy is None) == bool(places)
    # a file that is not there is looked at too
    assert list(reading.stamps) == [path, str(tmp_path / "base.yaml")]
    assert (reading.stamps[str(tmp_path / "base.yaml")] is None) == (
        base is None
    )


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"version: '1'\nmode: '\xff'\n")
    for name, line in (("nothing", 0), (".", 0), ("latin.yaml", 2)):
        path = str(tmp_path / name)
        with pytest.raises(PolicyError) as caught:
            document.load(path)
        (problem,) = caught.value.problems
        assert (problem.file, problem.line, "size" in problem.message) == (
            os.path.abspath(path),
            line,
            False,
        )


def test_each_file_has_the_limit(tmp_path, monkeypatch):
    write(tmp_path / "base.yaml", f"{HEAD}# {'long ' * 20}\n")
    path = write(tmp_path / "top.yaml", EXTENDING)
    size = os.path.getsize(tmp_path / "base.yaml")
    monkeypatch.setattr(source, "MAX_LIMIT", size)
    assert document.load(path)
    monkeypatch.setattr(source, "MAX_LIMIT", size - 1)
    with pytest.raises(PolicyError, match=r"larger than \d+ bytes") as caught:
        document.load(path)
    assert caught.value.problems[0].file == str(tmp_path / "base.yaml")


def test_many_files_extend_each_other(tmp_path):
    for number in range(20):
        text = f"{HEAD}extends: p{number + 1}.yaml\n"
        write(tmp_path / f"p{number}.yaml", text)
    write(tmp_path / "p20.yaml", f"{HEAD}mode: audit\n")
    assert document.load(str(tmp_path / "p0.yaml")).mode is Mode.AUDIT


def test_a_replacement_of_a_rule_that_another_file_has():
    device = {"disk_bus": {"replace": {"ide": "virtio"}}}
    content = {"version": "1", "extends": "baseline", "guest_devices": device}
    assert list(check.faults(content)) == []


def test_what_one_file_says(tmp_path):
    path = write(tmp_path / "top.yaml", f"{EXTENDING}mode: warn\n")
    assert document.own(path) == {
        "version": provenance.Said("1", path, 1),
        "extends": provenance.Said("base.yaml", path, 2),
        "mode": provenance.Said("warn", path, 3),
    }
    # a file that extends this one can add the list of allowed values
    write(tmp_path / "top.yaml", f"{HEAD}guest_devices: {{pmu: {{}}}}\n")
    assert document.own(path)["guest_devices"] == {"pmu": {}}
    write(tmp_path / "top.yaml", f"{EXTENDING}mode: x\n")
    with pytest.raises(PolicyError):
        document.own(path)


@pytest.mark.parametrize("place", ["check.faults", "assemble.policy"])
def test_a_fault_of_the_package(tmp_path, monkeypatch, place):
    error = RuntimeError("odd\nthing" + "x" * 300)

    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(f"nova_vhard.policy.document.{place}", fail)
    path = write(tmp_path / "policy.yaml", HEAD)
    reading = document.Reading(path)
    assert reading.policy is None
    assert reading.cause is error
    (problem,) = reading.problems
    assert (problem.file, problem.line) == (path, 1)
    assert problem.message == (
        "cannot be read, because of a bug in nova-vhard: RuntimeError: "
        f"oddthing{'x' * 247}…"
    )
    content = {} if place == "check.faults" else {"version": "1"}
    assert reading.data == provenance.plain(reading.tree) == content
    with pytest.raises(PolicyError) as caught:
        document.load(path)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "data",
    [
        None,
        [1],
        {"version": "1", "key": 1},
        {"version": "1", "extends": "a", "guest_devices": {"pmu": {}}},
    ],
)
def test_a_copy_with_a_fault_names_the_copy(data):
    with pytest.raises(PolicyError) as caught:
        document.restore(data, "copy", NEWER)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("copy", 1)


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


@pytest.mark.parametrize("key", IDS)
@pytest.mark.parametrize("section", ["projects", "exemptions"])
def test_entries_that_do_not_look_like_an_id(tmp_path, section, key):
    """These are warnings, because another back end can use other ids."""
    if section == "projects" and key not in ("projects", "domains"):
        return
    entry = f"{key}: [{', '.join(IDS[key])}]"
    if section == "projects":
        text = f"- {{mode: warn, {entry}}}\n"
    else:
        known = "" if key == "projects" else f"projects: [{HEX}], "
        text = (
            "- {id: a, reason: r, until: 2030-01-01, rules: "
            f"{{guest_devices.disk_bus: '*'}}, {known}\n   {entry}}}\n"
        )
    write(tmp_path / "base.yaml", f"{HEAD}{section}:\n{text}")
    own = f"{EXTENDING}projects: [{{mode: warn, projects: [shop]}}]\n"
    path = write(tmp_path / "top.yaml", own)
    reading = document.Reading(path)
    assert reading.policy is not None
    first, *others = reading.warnings
    assert (first.file, first.line) == (path, 3)
    line = 3 if section == "projects" else 4
    assert [(each.file, each.line, each.path) for each in others] == [
        (str(tmp_path / "base.yaml"), line, f"{section}[0].{key}[{index}]")
        for index, good in enumerate(IDS[key].values())
        if not good
    ]
