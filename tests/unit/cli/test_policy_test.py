# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard policy test``: unit tests of a policy."""

import datetime
import json
from pathlib import Path

import pytest
import yaml
from osc_lib.exceptions import CommandError

from nova_vhard.common.problems import PolicyError
from nova_vhard.osc import policies
from nova_vhard.osc.image import images
from nova_vhard.osc.policy import case_file
from nova_vhard.osc.policy.case_file import CASE
from nova_vhard.osc.policy.trial import ExplainPolicy, RunPolicyTests
from nova_vhard.request.described import LOOKED_AT
from tests.unit.cli.desk import rows, run
from tests.unit.docs import ETC
from tests.unit.helpers import shipped, write

SAMPLE = str(ETC / "policy-tests.yaml")
VMWARE = str(ETC / "policy-tests-vmware.yaml")
DAY = datetime.date(2026, 11, 29)

POLICY = """\
    version: "1"
    extends: baseline
    guest_devices:
      vif_model: {allow: [virtio], mode: audit}
      video_model: {allow: [virtio], mode: warn}
    passthrough:
      allow: {aliases: [gpu], ports: [vf]}
      require: [iommu]
    hosts: {require: [kernel_aslr], mode: warn}
    projects:
      - {projects: [trial], mode: audit}
      - {domains: [lab], mode: warn}
    exemptions:
      - id: routers
        reason: r
        projects: [p1]
        images: [i1]
        rules: {guest_devices.disk_bus: [ide]}
        until: 2026-12-31
      - id: team
        reason: r
        roles: [Rescuer]
        rules: {guest_devices.floppy_bus: "*"}
        until: 2026-12-31
      - id: pilot
        reason: r
        flavors: [pilot]
        rules: {passthrough.allow: [nic], passthrough.require: [iommu]}
        until: 2026-12-31
    """
IDE = {"properties": {"hw_disk_bus": "ide"}}
GPU = {"pci_passthrough:alias": "gpu:1"}
NIC = {"pci_passthrough:alias": "nic:1"}


@pytest.fixture
def policy(tmp_path):
    return write(tmp_path / "policy.yaml", POLICY)


def outcome(tmp_path, case, *arguments, **more):
    """Run a file with one case; return status and differences."""
    case = {"name": "n", "operation": "boot", **case}
    data = {"policy": "policy.yaml", "date": "2026-06-15", "cases": [case]}
    path = tmp_path / "tests.yaml"
    # JSON is YAML, and has no aliases where two cases share a part.
    path.write_text(json.dumps(data | more))
    done = run(RunPolicyTests, str(path), *arguments, "-f", "json")
    (row,) = done.json
    assert row["Result"] == ("differs" if done.status else "ok")
    return done.status, row["Difference"]


@pytest.mark.parametrize(
    ("case", "verdict", "rules", "exemptions", "host_checks"),
    [
        ({}, "allow", [], [], []),
        ({"image": IDE}, "refuse", ["guest_devices.disk_bus"], [], []),
        ({"volume": IDE}, "refuse", ["guest_devices.disk_bus"], [], []),
        (
            {"image": {"properties": {"hw_vif_model": "e1000"}}},
            "audit",
            ["guest_devices.vif_model"],
            [],
            [],
        ),
        (
            {"image": {"properties": {"hw_video_model": "vga"}}},
            "warn",
            ["guest_devices.video_model"],
            [],
            [],
        ),
        # Who asks.
        (
            {"image": IDE, "project": "trial"},
            "audit",
            ["guest_devices.disk_bus"],
            [],
            [],
        ),
        (
            {"image": IDE, "domain": "lab"},
            "warn",
            ["guest_devices.disk_bus"],
            [],
            [],
        ),
        (
            {"image": {**IDE, "id": "i1"}, "project": "p1"},
            "allow",
            [],
            ["routers"],
            [],
        ),
        (
            {"image": {**IDE, "id": "i2"}, "project": "p1"},
            "refuse",
            ["guest_devices.disk_bus"],
            [],
            [],
        ),
        (
            {
                "block_devices": [{"device_type": "floppy"}],
                "roles": ["RESCUER"],
            },
            "refuse",
            ["guest_devices.device_type"],
            ["team"],
            [],
        ),
        # Devices of the host.
        ({"flavor": {"extra_specs": GPU}}, "allow", [], [], ["iommu"]),
        (
            {"flavor": {"extra_specs": NIC}},
            "refuse",
            ["passthrough.allow"],
            [],
            ["iommu"],
        ),
        (
            {"flavor": {"extra_specs": NIC, "name": "pilot"}},
            "allow",
            [],
            ["pilot"],
            [],
        ),
        (
            {"flavor": {"extra_specs": NIC, "id": "pilot"}},
            "allow",
            [],
            ["pilot"],
            [],
        ),
        ({"ports": [{"vnic_type": "direct"}]}, "allow", [], [], ["iommu"]),
        ({"ports": [{"vnic_type": "normal"}]}, "allow", [], [], []),
        (
            {"ports": [{"vnic_type": "vdpa", "id": "x"}]},
            "refuse",
            ["passthrough.allow"],
            [],
            ["iommu"],
        ),
        (
            {"flavor": {"extra_specs": {"vhard:require": "kernel_aslr"}}},
            "allow",
            [],
            [],
            ["kernel_aslr"],
        ),
        # CD-ROMs that nobody asked for by name.
        (
            {
                "image": {
                    "disk_format": "iso",
                    "properties": {"hw_machine_type": "pc"},
                }
            },
            "refuse",
            ["guest_devices.cdrom_bus", "guest_devices.machine_type"],
            [],
            [],
        ),
        (
            {
                "image": {"properties": {"hw_machine_type": "pc"}},
                "config_drive": True,
            },
            "refuse",
            ["guest_devices.cdrom_bus", "guest_devices.machine_type"],
            [],
            [],
        ),
        # Servers that exist.
        (
            {"operation": "move", "image": IDE},
            "warn",
            ["guest_devices.disk_bus"],
            [],
            [],
        ),
        (
            {"operation": "move", "flavor": {"extra_specs": NIC}},
            "warn",
            ["passthrough.allow"],
            [],
            ["iommu"],
        ),
        (
            {"operation": "rebuild", "image": IDE},
            "refuse",
            ["guest_devices.disk_bus"],
            [],
            [],
        ),
        (
            {"operation": "rebuild", "image": IDE, "server": IDE},
            "refuse",
            ["guest_devices.disk_bus"],
            [],
            [],
        ),
        (
            {
                "operation": "rebuild",
                "image": IDE,
                "server": {**IDE, "same_image": True},
            },
            "warn",
            ["guest_devices.disk_bus"],
            [],
            [],
        ),
        (
            {"operation": "rebuild", "flavor": {"extra_specs": NIC}},
            "warn",
            ["passthrough.allow"],
            [],
            [],
        ),
        (
            {
                "operation": "rebuild",
                "image": {"properties": {"hw_machine_type": "pc"}},
                "server": {"config_drive": True},
            },
            "refuse",
            ["guest_devices.cdrom_bus", "guest_devices.machine_type"],
            [],
            [],
        ),
        (
            {
                "operation": "rescue",
                "image": {"properties": {"hw_rescue_device": "disk"}},
                "server": {"properties": {"hw_disk_bus": "ide"}},
                "flavor": {"name": "any", "extra_specs": NIC},
            },
            "warn",
            ["guest_devices.disk_bus"],
            [],
            [],
        ),
        (
            {
                "operation": "rescue",
                "image": {"properties": {"hw_rescue_device": "floppy"}},
            },
            "refuse",
            ["guest_devices.floppy_bus", "guest_devices.rescue_device"],
            [],
            [],
        ),
        (
            {
                "operation": "resize",
                "server": {**IDE, "extra_specs": GPU},
                "flavor": {"extra_specs": NIC},
            },
            "refuse",
            ["guest_devices.disk_bus", "passthrough.allow"],
            [],
            ["iommu"],
        ),
        (
            {
                "operation": "resize",
                "server": {"extra_specs": NIC},
                "flavor": {"extra_specs": NIC},
            },
            "warn",
            ["passthrough.allow"],
            [],
            ["iommu"],
        ),
        (
            {"operation": "upload", "image": IDE},
            "refuse",
            ["guest_devices.disk_bus"],
            [],
            [],
        ),
    ],
)
def test_a_case_gets_its_verdict(
    tmp_path, policy, case, verdict, rules, exemptions, host_checks
):
    expect = {
        "verdict": verdict,
        "rules": rules,
        "exemptions": exemptions,
        "host_checks": host_checks,
    }
    assert outcome(tmp_path, case | {"expect": expect}) == (0, [])


def test_what_differs_is_a_diff(tmp_path, policy):
    expect = {
        "verdict": "allow",
        "rules": ["guest_devices.vif_model"],
        "exemptions": ["routers"],
        "host_checks": ["iommu"],
    }
    assert outcome(tmp_path, {"image": IDE, "expect": expect}) == (
        1,
        [
            "-verdict: allow",
            "+verdict: refuse",
            "-rules: guest_devices.vif_model",
            "+rules: guest_devices.disk_bus",
            "-exemptions: routers",
            "-host_checks: iommu",
        ],
    )


CARD = {"properties": {"hw_vif_model": "e1000"}}
OF_P1 = {"image": {**IDE, "id": "i1"}, "project": "p1"}


@pytest.mark.parametrize(
    ("case", "verdict", "arguments", "keys"),
    [
        # what is not expected is not compared
        ({"image": IDE}, "refuse", [], {}),
        ({"image": IDE}, "disabled", [], {"policy": "off.yaml"}),
        *(
            (OF_P1, verdict, arguments, keys)
            for day, verdict in (
                ("2026-12-31", "allow"),
                ("2027-01-01", "refuse"),
            )
            for arguments, keys in (
                ([], {"date": day}),
                (["--date", day], {}),
            )
        ),
        ({"image": CARD}, "audit", [], {}),
        ({"image": CARD}, "refuse", ["--policy", "baseline"], {}),
        ({"image": CARD}, "refuse", [], {"policy": "baseline"}),
    ],
)
def test_options_and_keys_of_a_file(
    tmp_path, policy, case, verdict, arguments, keys
):
    write(tmp_path / "off.yaml", 'version: "1"\nenabled: false\n')
    for expected in {"allow", "audit", "refuse", "disabled"}:
        wanted = case | {"expect": {"verdict": expected}}
        status, _ = outcome(tmp_path, wanted, *arguments, **keys)
        assert status == (expected != verdict)


def places(tmp_path, text):
    """Return the line and the place of each error in a file of tests."""
    path = write(tmp_path / "tests.yaml", text)
    with pytest.raises(PolicyError) as caught:
        case_file.read(path)
    with pytest.raises(CommandError) as error:
        run(RunPolicyTests, path)
    assert str(error.value) == str(caught.value)
    assert "\n" not in str(error.value)
    return [f"{each.line}: {each.path}" for each in caught.value.problems]


def test_every_fault_at_once(tmp_path):
    text = """\
        polic: x
        date: tomorrow
        cases:
          - name: a
            operation: boott
            expect: {verdict: refuse}
          - name: b
            operation: upload
            ports: [{vnic_type: direct}]
            expect:
              verdict: refuse
              rules: [guest_devices.disk_buss, hosts.require]
              host_checks: [iomu]
          - name: b
            operation: boot
            image: {}
            volume: {}
            expect: {verdict: allow}
          - operation: boot
            flavour: {}
            expect: {verdict: refus}
        """
    assert places(tmp_path, text) == [
        "1: polic",
        "2: date",
        "5: cases[0].operation",
        "9: cases[1].ports",
        "12: cases[1].expect.rules[0]",
        "12: cases[1].expect.rules[1]",
        "13: cases[1].expect.host_checks[0]",
        "14: cases[2].name",
        "17: cases[2].volume",
        "19: cases[3].name",
        "20: cases[3].flavour",
        "21: cases[3].expect.verdict",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1: "]),
        ("- a", ["1: "]),
        ("cases: []", ["1: cases"]),
        ("cases: {a: b}", ["1: cases"]),
        ("policy: x", ["1: cases"]),
        ("date: 2027-02-30\ncases: [x]", ["1: date", "2: cases[0]"]),
        ("cases: [", ["2: "]),
        ("a: 1\na: 2\ncases: [x]", ["2: a", "2: a", "3: cases[0]"]),
    ],
)
def test_a_file_of_another_shape(tmp_path, text, expected):
    assert places(tmp_path, text) == expected


def test_faults_of_all_files_at_once(tmp_path):
    path = write(tmp_path / "one.yaml", "cases: []\n")
    with pytest.raises(CommandError) as error:
        run(RunPolicyTests, path, str(tmp_path / "nothere"))
    assert f"{path}:1: cases" in str(error.value)
    assert "nothere: cannot be read: No such file" in str(error.value)


def test_a_policy_with_faults_tests_nothing(tmp_path):
    policy = write(tmp_path / "bad.yaml", "mode: x\n")
    with pytest.raises(CommandError, match=r"bad\.yaml:1: mode: "):
        run(RunPolicyTests, SAMPLE, "--policy", policy)


@pytest.mark.parametrize("arguments", [(), ("--policy", "baseline")])
def test_the_sample_holds(arguments):
    done = run(RunPolicyTests, SAMPLE, *arguments, "-f", "json")
    assert (done.status, {each["Result"] for each in done.json}) == (0, {"ok"})
    assert done.err == f"{len(done.json)} cases, 0 not as expected\n"


def test_the_sample_against_strict_lacks_no_refusal():
    """Strict refuses all that baseline refuses, and says more."""
    result = rows(RunPolicyTests, SAMPLE, "--policy", "strict")
    lines = [line for each in result for line in each["Difference"]]
    assert {line for line in lines if line.startswith("-")} == {
        "-verdict: allow"
    }


def test_the_sample_has_every_operation_and_key():
    with open(SAMPLE, encoding="utf-8") as stream:
        text = stream.read()
    cases = yaml.safe_load(text)["cases"]
    assert {each["operation"] for each in cases} == set(LOOKED_AT)
    # The requester's keys are in an example that is commented out.
    named = {key for each in cases for key in each}
    unnamed = CASE["properties"].keys() - named
    assert {key for key in unnamed if f"#    {key}:" not in text} == {"domain"}


def test_the_samples_examples_are_cases(tmp_path):
    text = ETC.joinpath("policy-tests.yaml").read_text(encoding="utf-8")
    head, _, examples = text.partition("# If your policy has an exemption:")
    lines = [each for each in examples.splitlines() if each.startswith("#  ")]
    more = "\n".join(line[1:] for line in lines)
    path = write(tmp_path / "tests.yaml", f"{head}\n{more}\n")
    result = rows(RunPolicyTests, path, "--policy", "baseline")
    assert len(lines) > 10
    assert [each["Result"] for each in result[-2:]] == ["differs", "differs"]


def test_every_key_of_a_case_is_looked_at_somewhere():
    who = {"name", "operation", "project", "domain", "roles", "expect"}
    parts = frozenset().union(*LOOKED_AT.values())
    assert CASE["properties"].keys() == who | parts


OS_MIGRATE, KIT, V2V = "os-migrate: ", "migratekit: ", "virt-v2v -o "
BIOS, VGA = "firmware_type", "video_model"
OLD = ["disk_bus", "vif_model"]
AGENT = ["guest_agent"]
PC = "machine_type"


# What each preset refuses or warns of, by case of the sample.
@pytest.mark.parametrize(
    ("case", "baseline", "scs", "strict"),
    [
        (f"{OS_MIGRATE}BIOS", [], [], [BIOS]),
        (f"{OS_MIGRATE}UEFI", [], [], []),
        (f"{OS_MIGRATE}image_metadata", [], AGENT, AGENT),
        (f"{KIT}BIOS", [], [], [BIOS]),
        (f"{KIT}UEFI, secure boot", [], [], []),
        (f"{KIT}--enable-qemu-guest-agent", [], AGENT, [BIOS, *AGENT]),
        (f"{V2V}openstack: Linux, BIOS", [], [VGA], [BIOS, VGA]),
        (f"{V2V}openstack: Linux, UEFI", [], [VGA], [VGA]),
        (
            f"{V2V}openstack: Linux before 2007, without virtio drivers",
            [*OLD, PC],
            [*OLD, PC, VGA],
            [*OLD, PC, VGA, BIOS],
        ),
        (f"{V2V}openstack: Windows, virtio-scsi, UEFI", [], [VGA], [VGA]),
        (
            f"{V2V}openstack: Windows without virtio-win",
            OLD,
            [*OLD, VGA],
            [*OLD, VGA, BIOS],
        ),
        (f"{V2V}glance: Linux", [], [VGA], [BIOS, VGA]),
        (
            f"{V2V}glance: Windows without virtio-win",
            OLD,
            [*OLD, VGA],
            [*OLD, VGA, BIOS],
        ),
    ],
)
def test_guests_from_vmware_under_each_preset(case, baseline, scs, strict):
    tests = {each.name: each for each in case_file.read(VMWARE).tests}
    data = yaml.safe_load(Path(VMWARE).read_text(encoding="utf-8"))
    (said,) = [each for each in data["cases"] if each["name"] == case]
    image = {"id": "i1", **said.get("image", said.get("volume"))["properties"]}
    presets = {"baseline": baseline, "scs": scs, "strict": strict}
    for preset, kinds in presets.items():
        policy = shipped(preset)
        verdict = tests[case].case.verdict(policy, DAY)
        assert verdict.rules == sorted(f"guest_devices.{k}" for k in kinds)
        assert verdict.outcome == ("refuse" if kinds else "allow")
        # image audit --fix has nothing to set.
        finding = images.find(policy, image, DAY)
        assert not (finding and finding.changes)


def test_guests_from_vmware_are_expected_to_be_as_under_baseline():
    assert run(RunPolicyTests, VMWARE).status == 0


def test_a_replacement_of_vga_lets_the_audit_change_an_image(tmp_path):
    text = """\
        version: "1"
        extends: scs
        guest_devices:
          video_model:
            {allow: [virtio, none], replace: {vga: virtio}, reason: r}
        """
    policy = policies.load(write(tmp_path / "policy.yaml", text))
    finding = images.find(policy, {"id": "i1", "hw_video_model": "vga"}, DAY)
    assert finding.changes == {"hw_video_model": "virtio"}


def test_a_file_that_disables_the_policy_is_a_warning(tmp_path):
    path = write(tmp_path / "policy.yaml", 'version: "1"\n')
    write(tmp_path / "policy.yaml.disabled", "")
    cases = str(ETC / "policy-tests.yaml")
    for command, *arguments in ((ExplainPolicy,), (RunPolicyTests, cases)):
        done = run(command, *arguments, f"--policy={path}")
        assert f"{path}.disabled exists: services that" in done.err
