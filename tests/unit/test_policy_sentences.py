# SPDX-License-Identifier: Apache-2.0
"""What an operator reads of a bad policy file: whole sentences."""

import pytest

from nova_vhard.common.problems import PolicyError, UnexpectedError
from nova_vhard.policy import document, meaning, release
from tests.unit.helpers import write

HEAD = "version: '1'\n"
EXEMPTION = "id: a, reason: r, until: 2030-01-01"


def problems(path, **limit):
    """Return line, path and message of what is wrong with a policy."""
    with pytest.raises(PolicyError) as caught:
        document.load(str(path), **limit)
    return [
        (each.line, each.path, each.message) for each in caught.value.problems
    ]


@pytest.mark.parametrize(
    ("text", "line", "path", "message"),
    [
        ("", 1, "", 'the file is empty; it needs at least version: "1"'),
        (
            "- a\n",
            1,
            "",
            "a policy is a mapping of keys, not a list or a word",
        ),
        ("a\n", 1, "", "a policy is a mapping of keys, not a list or a word"),
        ("mode: warn\n", 1, "", "lacks version"),
        ("version: '2'\n", 1, "version", "'2' is none of 1"),
        (f"{HEAD}mode: ''\n", 2, "mode", "'' is none of enforce, warn, audit"),
        (
            f"{HEAD}requires: soon\n",
            2,
            "requires",
            "'soon' is no version; write \">=1.0\"",
        ),
        (
            f"{HEAD}requires: '>=99'\n",
            2,
            "requires",
            f"this policy needs nova-vhard '>=99' and {release.RUNNING} "
            "runs: upgrade the package and restart",
        ),
        (
            f"{HEAD}extends: nothere\n",
            2,
            "extends",
            "there is no file {folder}/nothere, and the policies that ship "
            "with the package are baseline, scs, strict",
        ),
        (
            f"{HEAD}extends: policy.yaml\n",
            2,
            "extends",
            "extends itself, by way of other files",
        ),
        (
            f"{HEAD}hosts: {{require: [one_time_use]}}\n",
            2,
            "hosts.require[0]",
            "'one_time_use' is asked of a device, not of a host; it belongs "
            "into passthrough.require",
        ),
        (
            f"{HEAD}hosts:\n  require: [iomu]\n",
            3,
            "hosts.require[0]",
            "'iomu' is not a check (did you mean 'iommu'?)",
        ),
        (
            f"{HEAD}hosts: {{max_report_age: 1}}\n",
            2,
            "hosts.max_report_age",
            "'1' is no whole number of hours from 2 to 24",
        ),
        (
            f"{HEAD}guest_devices:\n  pmem: {{allow: [], explicit: on}}\n",
            3,
            "guest_devices.pmem.explicit",
            "no image property sets this, so no image can be asked to",
        ),
        (
            f"{HEAD}guest_devices:\n  serial_port_count: {{allow: [two]}}\n",
            3,
            "guest_devices.serial_port_count.allow[0]",
            "'two' is no number",
        ),
        (
            f"{HEAD}assume: {{architecture: amd64}}\n",
            2,
            "assume.architecture",
            "nova calls no architecture 'amd64' (did you mean 'x86_64'?)",
        ),
        (
            f"{HEAD}assume:\n  machine_type: {{x86-64: q35}}\n",
            3,
            "assume.machine_type.x86-64",
            "nova calls no architecture 'x86-64' (did you mean 'x86_64'?)",
        ),
        (
            f"{HEAD}applies_to: {{hypervisor_type: ['*']}}\n",
            2,
            "applies_to.hypervisor_type[0]",
            "'*' is a pattern, which stands for nothing here: name each",
        ),
        (
            f"{HEAD}projects:\n- {{mode: enforce, domains: ['*']}}\n",
            3,
            "projects[0].domains[0]",
            "'*' is a pattern, which stands for nothing here: name each",
        ),
        (
            f"{HEAD}exemptions:\n- {{{EXEMPTION}, flavors: [a, 'gpu.*'], "
            "rules: {guest_devices.disk_bus: [ide]}}\n",
            3,
            "exemptions[0].flavors[1]",
            "'gpu.*' is a pattern, which stands for nothing here: name each",
        ),
        (
            f"{HEAD}guest_devices:\n  pmu: {{allow: ['*', enabled]}}\n",
            3,
            "guest_devices.pmu.allow[1]",
            "'enabled' is neither true nor false",
        ),
        (
            f"{HEAD}guest_devices:\n  hpet: {{allow: ['t*']}}\n",
            3,
            "guest_devices.hpet.allow[0]",
            "'t*' is neither true nor false",
        ),
        (
            f"{HEAD}guest_devices:\n  machine_type: {{allow: [q35, on]}}\n",
            3,
            "guest_devices.machine_type.allow[1]",
            "'True' must be text: put it in quotes",
        ),
        (
            f"{HEAD}enabled: !!bool treu\n",
            2,
            "enabled",
            "'treu' must be true or false",
        ),
        (
            f"{HEAD}guest_devices:\n  vif_model:\n    allow: [virtio, 'q*']\n",
            4,
            "guest_devices.vif_model.allow[1]",
            "'q*' matches no value that nova knows",
        ),
        (
            f"{HEAD}guest_devices:\n  vif_model: {{mode: warn}}\n",
            3,
            "guest_devices.vif_model",
            "lacks its list of allowed values",
        ),
        (
            f"{HEAD}projects:\n- {{mode: warn}}\n",
            3,
            "projects[0]",
            "names neither projects nor domains",
        ),
        (
            f"{HEAD}exemptions:\n- {{{EXEMPTION}, rules: "
            "{guest_devices.disk_bus: [ide]}}\n",
            3,
            "exemptions[0]",
            "names none of projects, domains, images, flavors, roles, servers",
        ),
        (
            f"{HEAD}exemptions:\n- {{{EXEMPTION}, roles: [r], rules: "
            "{hosts.require: [aslr]}}\n",
            3,
            "exemptions[0].rules.hosts.require[0]",
            "'aslr' is not a check (nova-vhard-reporter check lists them)",
        ),
        (
            f"{HEAD}exemptions:\n- {{{EXEMPTION}, roles: [r], rules: "
            "{hosts.require: '*', guest_devices.disk_bus: [ide, idee]}}\n",
            3,
            "exemptions[0].rules.guest_devices.disk_bus[1]",
            "'idee' is not a disk_bus that nova knows (did you mean 'ide'?)",
        ),
        (
            f"{HEAD}exemptions:\n- {{id: a, reason: r, until: soon, "
            "roles: [r], rules: {guest_devices.disk_bus: [ide]}}\n",
            3,
            "exemptions[0].until",
            "'soon' is no date; write 2027-03-31",
        ),
        (
            f"{HEAD}exemptions:\n- {{{EXEMPTION}, servers: [155D900F-4E14-"
            "4E4C-A73D-069CBF4541E6], rules: "
            "{guest_devices.disk_bus: [ide]}}\n",
            3,
            "exemptions[0].servers[0]",
            "'155D900F-4E14-4E4C-A73D-069CBF4541E6' is no id of a server; "
            "write it as 'openstack server list' does: "
            "155d900f-4e14-4e4c-a73d-069cbf4541e6",
        ),
        (
            f"{HEAD}exemptions:\n- {{{EXEMPTION}, roles: [r], rules: "
            "{mode: [warn]}}\n",
            3,
            "exemptions[0].rules.mode",
            "is not the id of a rule",
        ),
    ],
)
def test_what_is_wrong(tmp_path, text, line, path, message):
    file = write(tmp_path / "policy.yaml", text)
    message = message.replace("{folder}", str(tmp_path))
    assert problems(file) == [(line, path, message)]


def test_a_file_that_is_too_large(tmp_path):
    file = write(tmp_path / "policy.yaml", HEAD)
    message = "is larger than 9 bytes, the limit ([vhard] policy_max_size)"
    assert problems(file, limit=9) == [(1, "", message)]


def test_a_file_below_it_is_named(tmp_path):
    write(tmp_path / "base.yaml", f"{HEAD}\nmode: ''\n")
    file = write(tmp_path / "policy.yaml", f"{HEAD}extends: base.yaml\n")
    with pytest.raises(PolicyError) as caught:
        document.load(file)
    assert str(caught.value) == (
        f"{tmp_path}/base.yaml:3: mode: '' is none of enforce, warn, audit"
    )


def test_too_many_files(tmp_path):
    for number in range(document.MAX_FILES):
        text = f"{HEAD}extends: p{number + 1}.yaml\n"
        write(tmp_path / f"p{number}.yaml", text)
    write(tmp_path / f"p{document.MAX_FILES}.yaml", HEAD)
    message = "more than 8 files extend each other"
    assert problems(tmp_path / "p0.yaml") == [(2, "extends", message)]
    assert document.load(str(tmp_path / "p1.yaml"))


def test_too_many_patterns(tmp_path, monkeypatch):
    monkeypatch.setattr(meaning, "MAX_PATTERNS", 3)
    allow = "[v*, 'q*', 'vi*', 'q*']"
    text = f"{HEAD}guest_devices: {{vif_model: {{allow: {allow}}}}}\n"
    place = "guest_devices.vif_model.allow"
    assert problems(write(tmp_path / "policy.yaml", text)) == [
        (2, f"{place}[1]", "'q*' matches no value that nova knows"),
        (2, f"{place}[2]", "is one pattern too many: number 3"),
    ]


@pytest.mark.parametrize(
    ("error", "what"),
    [(KeyError("a"), "KeyError: 'a'"), (ValueError(), "ValueError")],
)
def test_a_fault_of_the_package(tmp_path, monkeypatch, error, what):
    def fails(*_arguments):
        raise error

    monkeypatch.setattr("nova_vhard.policy.check.faults", fails)
    file = write(tmp_path / "policy.yaml", HEAD)
    message = f"cannot be read, by a fault of nova-vhard: {what}"
    assert problems(file) == [(1, "", message)]
    with pytest.raises(UnexpectedError) as caught:
        document.load(file)
    assert caught.value.__cause__ is error


def test_content_that_comes_from_no_file():
    with pytest.raises(UnexpectedError) as caught:
        document.build({"mode": "odd"}, [])
    assert str(caught.value) == (
        "the defaults:1: cannot be read, by a fault of nova-vhard: "
        "ValueError: 'odd' is not a valid Mode"
    )
