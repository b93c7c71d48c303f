# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard policy explain``: the verdict as its user reads it."""

import shlex
import struct
import uuid

import pytest
from osc_lib.exceptions import CommandError

from nova_vhard.common.text import LIMIT
from nova_vhard.osc import policies
from nova_vhard.osc.policy import case_options
from nova_vhard.osc.policy.show import ShowPolicy
from nova_vhard.osc.policy.trial import ExplainPolicy
from nova_vhard.osc.qemu.commands import PlanQemu
from nova_vhard.policy.hardware import Holder
from nova_vhard.policy.subject import BOOT
from tests.unit.cli.desk import run
from tests.unit.docs import IDE_E1000, README, REFUSED, words
from tests.unit.explain import sentences
from tests.unit.explain.requests import of
from tests.unit.helpers import shipped, write

HOSTS = ["interrupt_remapping", "iommu"]
IMAGE = "1c7f6f4a-5f0e-4b52-8a3c-0e9d2f6b7a81"


def explained(*arguments, policy="baseline"):
    done = run(ExplainPolicy, "--policy", policy, *arguments, "-f", "json")
    return done.status, done.json


def test_it_is_what_the_readme_shows():
    status, answer = explained(
        "--operation=upload",
        "--property=hw_disk_bus=ide",
        "--property=hw_vif_model=e1000",
    )
    assert (status, answer["verdict"]) == (1, "refuse")
    assert answer["explanation"] in words(README)
    assert answer["fault"] in words(REFUSED)
    assert answer["rules"] == [
        "guest_devices.disk_bus",
        "guest_devices.vif_model",
    ]


def test_it_is_what_a_gate_says_of_the_very_image():
    _, answer = explained(
        "--property=hw_disk_bus=ide",
        "--property=hw_vif_model=e1000",
        f"--image={IMAGE}",
    )
    request = of(IDE_E1000, BOOT, Holder(IMAGE, "p1"))
    text = sentences.answered(shipped("baseline"), request)
    assert answer["explanation"] == text
    assert answer["fix"]["text"] in text
    assert answer["fix"]["changes"] == [
        {"place": "image", "id": IMAGE, "property": name, "value": "virtio"}
        for name in ("hw_disk_bus", "hw_vif_model")
    ]


@pytest.mark.parametrize(
    ("arguments", "rules"),
    [
        (["--flavor-property=hw:sound_model=sb16"], ["sound_model"]),
        (["--volume-property=hw_disk_bus=ide"], ["disk_bus"]),
        (["--block-device=device_type=cdrom,disk_bus=ide"], ["cdrom_bus"]),
        (["--block-device=device_type=lun"], ["device_type"]),
        (
            ["--disk-format=iso", "--property=hw_machine_type=pc"],
            ["cdrom_bus", "machine_type"],
        ),
        (
            ["--config-drive", "--property=hw_machine_type=pc"],
            ["cdrom_bus", "machine_type"],
        ),
        (
            ["--operation=rescue", "--property=hw_rescue_bus=usb"],
            ["rescue_bus"],
        ),
        (
            [
                "--operation=rebuild",
                "--config-drive",
                "--property=hw_machine_type=pc",
                "--server-property=hw_machine_type=q35",
            ],
            ["cdrom_bus", "machine_type"],
        ),
        # Passthrough, and what its hosts must have proven.
        (["--port=direct"], HOSTS),
        (["--flavor-property=pci_passthrough:alias=gpu:1"], HOSTS),
        (
            [
                "--operation=resize",
                "--flavor-property=resources:VGPU=1",
                "--server-flavor-property=pci_passthrough:alias=gpu:1",
            ],
            HOSTS,
        ),
        # What passes needs no explanation.
        (["--property=hw_disk_bus=virtio"], []),
    ],
)
def test_everything_of_a_request_is_judged(arguments, rules):
    status, answer = explained(*arguments)
    verdict = "refuse" if rules else "allow"
    assert (status, answer["verdict"]) == (bool(rules), verdict)
    assert (answer["explanation"] is None) == (not rules)
    if rules is HOSTS:
        assert answer["rules"] == ["passthrough.allow"]
        assert answer["host_checks"] == HOSTS
    else:
        assert answer["rules"] == [f"guest_devices.{each}" for each in rules]
        assert answer["host_checks"] == answer["exemptions"] == []


def test_what_passes_with_a_warning_is_explained_to_the_operator():
    status, answer = explained(
        "--operation=move", "--property=hw_disk_bus=ide"
    )
    assert (status, answer["verdict"]) == (0, "warn")
    assert answer["explanation"].startswith("image property hw_disk_bus='ide'")
    assert "refuses" not in answer["explanation"]
    assert answer["fault"] is None


@pytest.mark.parametrize(
    ("who", "verdict"),
    [
        ([], "refuse"),
        (["--project=p1"], "refuse"),
        (["--project=p1", "--role=Member", "--role=Rescuer"], "allow"),
        (["--role=rescuer", "--project=p2"], "refuse"),
        (["--domain=lab"], "audit"),
        (["--flavor=old"], "allow"),
        (
            ["--project=p1", "--role=rescuer", "--date=2027-01-01"],
            "refuse",
        ),
    ],
)
def test_who_asks_counts(tmp_path, who, verdict):
    text = """\
        version: "1"
        extends: baseline
        projects: [{domains: [lab], mode: audit}]
        exemptions:
          - id: a
            reason: r
            projects: [p1]
            roles: [rescuer]
            rules: {guest_devices.disk_bus: [ide]}
            until: 2026-12-31
          - id: b
            reason: r
            flavors: [old]
            rules: {guest_devices.disk_bus: [ide]}
            until: 2026-12-31
        """
    path = write(tmp_path / "policy.yaml", text)
    day = [] if "--date=2027-01-01" in who else ["--date=2026-06-15"]
    status, answer = explained(
        "--property=hw_disk_bus=ide", *day, *who, policy=path
    )
    assert answer["verdict"] == verdict
    assert status == (1 if verdict == "refuse" else 0)


def test_outsiders_text_is_cut_and_cleaned():
    value = "ide\u202e\x1b[31m" + "x" * 200
    _, answer = explained(f"--property=hw_disk_bus={value}")
    for text in (answer["explanation"], answer["fault"]):
        assert text.isprintable()
        assert "x" * (LIMIT + 1) not in text


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["--operation=upload", "--port=direct"], "ports: not looked at"),
        (["--operation=upload", "--config-drive"], "config_drive: not"),
        (["--server-property=a=b"], "server: not looked at"),
        (
            ["--property=a=b", "--volume-property=a=b"],
            "the image or the volume",
        ),
    ],
)
def test_options_that_make_no_sense_together_end_with_2(arguments, answer):
    done = run(ExplainPolicy, *arguments)
    assert (done.status, done.out) == (2, "")
    assert answer in done.err
    assert len(done.err.splitlines()) == 1


def disk(start=b"", at=0, size=512 << 10):
    """Return the bytes of a file, with these ones in it."""
    return start.rjust(at + len(start), b"\0").ljust(size, b"\0")


def qcow2(backing=0, encryption=0, data_file=0):
    """Return the header of a qcow2 file as docs/interop/qcow2.rst has it."""
    parts = (b"QFI\xfb", 3, backing, 0, 16, 1 << 20, encryption)
    return disk(struct.pack(">4sIQIIQI36xQ", *parts, data_file))


MBR = disk(bytes([0x80, 0, 2, 0, 0x83, 0, 0, 0, 1]), 446, 510) + b"\x55\xaa"
ISO = disk(b"\x01CD001", 0x8000)
NOT_KNOWN = "is not an image of a known format"


@pytest.mark.parametrize(
    ("content", "stated", "disk_format"),
    [
        (qcow2(), [], "qcow2"),
        (qcow2(), ["--disk-format=qcow2"], "qcow2"),
        (disk(MBR), [], "raw"),
        (disk(MBR), ["--disk-format=raw"], "raw"),
        (disk(), ["--disk-format=raw"], "raw"),
        (ISO, [], "iso"),
        # It boots as a disk, too, as most ISOs do.
        (disk(MBR + ISO[512:]), [], "iso"),
    ],
)
def test_command_for_a_file_is_accepted(
    tmp_path, content, stated, disk_format
):
    path = tmp_path / "an image"
    path.write_bytes(content)
    wish = [f"--file={path}", "--property=hw_disk_bus=ide", *stated]
    note = "--property=os_note=it's $HOME"
    status, answer = explained(*wish, note, policy="strict")
    assert (status, answer["verdict"]) == (1, "refuse")
    words = shlex.split(answer["command"])
    assert words[:3] == ["openstack", "image", "create"]
    assert words[words.index("--disk-format") + 1] == disk_format
    assert note in words
    status, again = explained(*words[3:-1], policy="strict")
    assert (status, again["command"]) == (0, answer["command"])


def test_command_for_a_file_says_for_whom(tmp_path):
    path = tmp_path / "-image"
    path.write_bytes(qcow2())
    own = [f"--image={uuid.UUID(int=1)}", "--project=p1"]
    _, answer = explained(f"--file={path}", *own, policy="baseline")
    words = {f"--file={path}", "--project=p1", f"--id={uuid.UUID(int=1)}"}
    assert words <= {*shlex.split(answer["command"])}
    # a name that cannot be shown is in no command
    odd = path.rename(tmp_path / "an\timage")
    _, answer = explained(f"--file={odd}", policy="baseline")
    assert (answer["verdict"], answer["command"]) == ("allow", None)


def test_without_a_fix_there_is_no_command(tmp_path):
    text = """\
        version: "1"
        guest_devices: {disk_bus: {allow: [], reason: r}}
        """
    path = write(tmp_path / "policy.yaml", text)
    image = tmp_path / "image"
    image.write_bytes(qcow2())
    wish = [f"--file={image}", "--property=hw_disk_bus=ide"]
    status, answer = explained(*wish, policy=path)
    assert (status, answer["command"]) == (1, None)


@pytest.mark.parametrize(
    ("content", "arguments", "stated"),
    [
        (None, [], "cannot be read: No such file or directory"),
        (b"", [], NOT_KNOWN),
        (b"a text\n" * 9999, [], NOT_KNOWN),
        (disk(), [], NOT_KNOWN),
        (qcow2(), ["--disk-format=raw"], "is qcow2, not raw"),
        (disk(), ["--disk-format=qcow2"], "is raw, not qcow2"),
        (qcow2(backing=512), [], "Safety checks failed: backing_file"),
        (qcow2(data_file=4), [], "Safety checks failed: data_file"),
        (qcow2(encryption=2), [], "encrypted"),
        (disk(b"LUKS\xba\xbe\0\x01"), [], "encrypted"),
        (disk(b"conectix"), [], "or vhd"),
        # A fault of the inspector's, in which Nova refuses the file, too.
        (b"a" * 512 + b"\xe4" * 512, [], "Nova refuses such a file"),
        (disk(b"QED\0"), [], "Safety checks failed: banned"),
        (qcow2()[:512] + ISO[512:], [], "Multiple formats detected"),
    ],
)
def test_a_file_that_nova_refuses_is_an_error(
    tmp_path, caplog, content, arguments, stated
):
    path = tmp_path / "image"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError) as error:
        explained(f"--file={path}", *arguments)
    assert str(error.value).startswith(f"{path}: ")
    assert stated in str(error.value)
    assert "WARNING" not in {each.levelname for each in caplog.records}


@pytest.mark.parametrize(
    ("kind", "arguments", "option"),
    [
        (ExplainPolicy, ["--property=hw_disk_bus=ide"], " with --policy"),
        (PlanQemu, [], " with --policy"),
        (ShowPolicy, [], ""),
        (ShowPolicy, ["--effective"], ""),
    ],
)
def test_without_a_policy_the_error_says_how_to_name_one(
    monkeypatch, tmp_path, kind, arguments, option
):
    path = str(tmp_path / "policy.yaml")
    monkeypatch.setattr(policies, "POLICY_FILE", path)
    monkeypatch.delenv(policies.ENVIRONMENT, raising=False)
    with pytest.raises(CommandError) as error:
        run(kind, *arguments)
    assert str(error.value) == (
        f"{path}: cannot be read: No such file or directory; "
        f"specify one{option}, such as baseline, or set OS_VHARD_POLICY"
    )


@pytest.mark.parametrize(
    "argument",
    [
        "--operation=fly",
        "--date=soon",
        "--property=novalue",
        "--block-device=bus=ide",
    ],
)
def test_a_wrong_option_is_an_error_of_usage(argument, capsys):
    with pytest.raises(SystemExit) as ended:
        explained(argument)
    assert ended.value.code == 2
    assert argument.partition("=")[2].partition("=")[0] in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("option", "stated"),
    [
        (
            "--property=hw_disk_buss=ide",
            "--property: 'hw_disk_buss' is unknown here: no rule of any "
            "policy is about it (did you mean 'hw_disk_bus'?)",
        ),
        (
            "--volume-property=x=y",
            "--volume-property: 'x' is unknown here: no rule of any policy "
            "is about it",
        ),
        (
            "--flavor-property=hw:cpu_policy=shared",
            "--flavor-property: 'hw:cpu_policy' is unknown here: no rule of "
            "any policy is about it",
        ),
        (
            "--flavor-property=vhard:require=iommu,nonsense,smtt",
            "vhard:require: 'nonsense' is not a check or a profile of "
            "checks: no host has passed it\nvhard:require: 'smtt' is not a "
            "check or a profile of checks (did you mean 'smt'?): no host "
            "has passed it",
        ),
        ("--property=hw_disk_bus=virtio", ""),
        ("--flavor-property=pci_passthrough:alias=a:1", ""),
        ("--flavor-property=resources:CUSTOM_GPU=1", ""),
        ("--flavor-property=vhard:require=iommu", ""),
    ],
)
def test_unknown_name_is_named_and_changes_nothing(option, stated):
    done = run(ExplainPolicy, "--policy", "baseline", option, "-f", "json")
    assert done.err.strip() == stated
    assert done.status == (done.json["verdict"] == "refuse")


def test_block_device_is_named_as_it_was_typed():
    cdrom = "device_type=cdrom,disk_bus=ide"
    _, answer = explained(
        "--block-device=disk_bus=virtio", f"--block-device={cdrom}"
    )
    option = f"--block-device {cdrom}"
    for text in (
        answer["explanation"],
        answer["fault"],
        answer["fix"]["text"],
    ):
        assert f"{option}: disk_bus" in text
    # the change is one of Nova's API
    assert answer["fix"].pop("changes") == [
        {
            "place": "block_device",
            "id": None,
            "property": "block_device_mapping_v2[1].disk_bus",
            "value": "sata",
        }
    ]
    assert "block_device_mapping" not in str(answer)


def test_name_of_a_block_device_that_nobody_typed_stays():
    text = "block_device_mapping_v2[7].disk_bus"
    assert case_options.devices(text, [{"disk_bus": "ide"}]) == text
    assert case_options.devices(text, None) == text
