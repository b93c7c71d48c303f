# SPDX-License-Identifier: Apache-2.0
"""Refusals in words that a tenant can act on."""

import pytest

from nova_vhard.common.text import MESSAGE_LIMIT
from nova_vhard.explain import messages
from nova_vhard.policy.hardware import DeviceChoice, HardwareRequest
from nova_vhard.policy.leading import MOST
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import BOOT, UPDATE, UPLOAD, Subject
from nova_vhard.policy.verdict import Message, Violation, evaluate
from nova_vhard.request import block_device, flavor, image
from tests.unit.helpers import TODAY, judge, policy, shipped

BASELINE = shipped("baseline")


def say(properties, rules=BASELINE, disk_format=None):
    refusals = judge(rules, properties, disk_format).refusals
    return messages.api_message(refusals, Subject(UPDATE))


def say_request(request, rules=BASELINE):
    verdict = evaluate(rules, request, Subject(BOOT), TODAY)
    return messages.api_message(verdict.refusals, Subject(BOOT, image="1f2e"))


def test_property_value_allowed_fix_and_rule():
    assert say({"hw_disk_bus": "ide"}) == (
        "This cloud's hardening policy refuses the request: image property "
        "hw_disk_bus='ide' is not allowed (allowed: virtio, scsi): use a "
        "guest with virtio drivers (Linux has them; Windows gets them from "
        "virtio-win). [rule guest_devices.disk_bus] To fix: run `openstack "
        "image set --property hw_disk_bus=virtio IMAGE`"
    )


def test_a_legacy_spelling_is_shown_as_written_and_as_read():
    text = say({"hw_vif_model": "VirtualE1000"})
    assert "hw_vif_model='VirtualE1000' (which Nova reads as" in text
    assert "vif_model 'e1000')" in text


def test_capitals_are_no_other_spelling():
    choice = DeviceChoice("pmu", "true", "image", written="True")
    violation = Violation(("guest_devices.pmu",), choice, Mode.ENFORCE)
    text, _ = messages.parts(violation, Subject(UPDATE))
    assert text == "image='True' (allowed: none)"


@pytest.mark.parametrize(
    ("source", "why", "asked"),
    [
        ("", "x" * 512, f"hw_x is not set, and {'x' * 512}"),
        ("", "x" * 513, f"hw_x is not set, and {'x' * 509}…"),
        ("x" * 128, None, f"{'x' * 128}='e1000'"),
        ("x" * 129, None, f"{'x' * 127}…='e1000'"),
    ],
    ids=["why", "long-why", "source", "long-source"],
)
def test_what_others_wrote_is_bounded(source, why, asked):
    choice = DeviceChoice("vif_model", "e1000", source, "hw_x", implied=why)
    violation = Violation(("guest_devices.vif_model",), choice, Mode.ENFORCE)
    text, _ = messages.parts(violation, Subject(UPDATE))
    assert text == f"{asked} (allowed: none)"


def test_a_default_says_who_picks_what_and_why():
    text = say({"hw_machine_type": "pc"}, disk_format="iso")
    assert (
        "hw_cdrom_bus is not set, and nova picks ide for a CD-ROM (an ISO "
        "image) on machine type pc, which is not allowed (allowed: sata, "
        "scsi): "
    ) in text
    assert "`openstack image set --property hw_cdrom_bus=sata IMAGE`" in text


def test_the_fix_names_the_image_or_the_upload():
    refusals = judge(BASELINE, {"hw_disk_bus": "ide"}).refusals
    text = messages.api_message(refusals, Subject(BOOT, image="1f2e"))
    assert "openstack image set --property hw_disk_bus=virtio 1f2e" in text
    text = messages.api_message(refusals, Subject(UPLOAD, image="1f2e"))
    assert text.endswith(
        "To fix: upload it with `--property hw_disk_bus=virtio`"
    )
    refusals = judge(BASELINE, {"hw_floppy_bus": "fdc"}).refusals
    text = messages.api_message(refusals, Subject(UPLOAD))
    assert text.endswith("To fix: upload it without hw_floppy_bus")


def test_nothing_allowed_means_unset():
    text = say({"hw_floppy_bus": "fdc"})
    assert "(allowed: none)" in text
    assert "openstack image unset --property hw_floppy_bus IMAGE" in text


def test_what_must_be_set():
    rules = policy(
        guest_devices={"disk_bus": {"allow": ["virtio"], "explicit": True}}
    )
    text = say({"os_distro": "win\x1b[31m"}, rules)
    assert (
        "libosinfo may pick any kind for a disk, by os_distro 'win[31m'"
        in text
    )
    assert "it must be set (allowed: virtio)" in text


def test_what_nobody_picks_must_be_set():
    rule = {"secure_boot": {"allow": ["required"], "explicit": True}}
    (violation,) = judge(policy(guest_devices=rule), {}).refusals
    assert violation.cause.source == "image property os_secure_boot (not set)"
    asked, _, rest = messages.describe([violation], Subject(UPLOAD)).partition(
        "; "
    )
    assert asked == "os_secure_boot is not set, and the host decides"
    assert rest.startswith("it must be set (allowed: required): ")
    assert messages.fault_message([violation]) == (
        "os_secure_boot must be set (allowed: required)"
    )


@pytest.mark.parametrize("words", [{}, {"img_signature_key_type": "DSA"}])
def test_nobody_is_told_to_write_what_a_signer_writes(words):
    rule = {"allow": ["RSA-PSS"], "explicit": True}
    rules = policy(guest_devices={"image_signature_key_type": rule})
    refusals = judge(rules, words).refusals
    text = messages.api_message(refusals, Subject(UPLOAD))
    assert "--property" not in text
    assert text.endswith(
        "To fix: sign the image with a key whose certificate the cloud "
        "trusts, and set all four img_signature properties when it is "
        "uploaded"
    )


def test_volume_flavor_and_block_device_name_their_own_fix():
    request = image.read({"hw_disk_bus": "ide"}, origin="volume")
    assert (
        "volume property hw_disk_bus='ide' is not allowed (allowed: virtio, "
        "scsi): "
    ) in say_request(request)
    command = "openstack volume set --image-property hw_disk_bus=virtio VOLUME"
    assert f"`{command}`" in say_request(request)
    choices = flavor.read({"hw:sound_model": "ich9"})
    text = say_request(HardwareRequest().plus(choices))
    assert "flavor extra spec hw:sound_model='ich9'" in text
    assert "choose a flavor without hw:sound_model" in text
    choices, _ = block_device.read(
        [{}, {"disk_bus": "ide"}], "block_device_mapping_v2"
    )
    text = say_request(HardwareRequest().plus(choices))
    assert "block_device_mapping_v2[1].disk_bus='ide'" in text
    place = "in block_device_mapping_v2 of the request"
    assert f"{place} set [1].disk_bus to virtio" in text


def test_a_default_with_nothing_to_name_has_no_command():
    text = say({"block_device_mapping": '[{"device_type": "floppy"}]'})
    assert "hw_floppy_bus is not set" in text
    assert "unset" not in text
    assert "give the guest its data on a disk" in text
    assert "do without what hw_floppy_bus is for" in text


def test_the_order_is_the_catalogues_not_the_bodys():
    text = say({"hw_disk_bus": "ide", "hw_vif_model": "e1000"})
    other = say({"hw_vif_model": "e1000", "hw_disk_bus": "ide"})
    assert text == other


def test_several_violations_are_numbered():
    text = say({"hw_disk_bus": "ide", "hw_vif_model": "e1000"})
    assert "(1) image property hw_disk_bus" in text
    assert "(2) image property hw_vif_model" in text
    assert text.endswith(
        "To fix: run `openstack image set --property hw_disk_bus=virtio "
        "--property hw_vif_model=virtio IMAGE`"
    )


def test_short_keeps_whole_violations_within_200_bytes():
    many = {
        "hw_disk_bus": "ide",
        "hw_vif_model": "e1000",
        "hw_cdrom_bus": "ide",
        "hw_video_model": "cirrus",
        "hw_sound_model": "sb16",
        "hw_scsi_model": "lsilogic",
    }
    text = messages.fault_message(judge(BASELINE, many).refusals)
    assert len(text.encode()) <= 200
    assert text.startswith("hw_disk_bus=ide (allowed: virtio, scsi); ")
    assert text.endswith("and 2 more")
    for part in text.split("; ")[:-1]:
        assert part.endswith(")")


def test_short_of_a_default_and_of_what_must_be_set():
    verdict = judge(BASELINE, {"hw_machine_type": "pc"}, "iso")
    assert messages.fault_message(verdict.refusals) == (
        "hw_cdrom_bus not set means ide (allowed: sata, scsi)"
    )


def test_short_tells_a_volume_from_an_image():
    request = image.read({"hw_disk_bus": "ide"}, origin="volume")
    verdict = evaluate(BASELINE, request, Subject(BOOT), TODAY)
    assert messages.fault_message(verdict.refusals).startswith(
        "volume's hw_disk_bus="
    )


def test_bytes_are_counted_not_characters():
    verdict = judge(BASELINE, {"hw_disk_bus": "ä" * 60})
    text = messages.fault_message(verdict.refusals, 100)
    assert len(text.encode()) <= 100
    assert text.startswith("hw_disk_bus=ää")


def test_what_an_outsider_wrote_is_quoted_cut_and_cleaned():
    evil = "ide\u202e\r\nX-Header: 1\x00" + "x" * 5000
    text = say({"hw_disk_bus": evil})
    assert "hw_disk_bus='ideX-Header: 1xxx" in text
    assert len(text) < 600
    assert text.isprintable()


def test_the_cells_of_a_table():
    (violation,) = judge(BASELINE, {"hw_disk_bus": "ide"}).refusals
    asked, fix = messages.parts(violation, Subject(UPDATE, image="1f2e"))
    assert asked == (
        "image property hw_disk_bus='ide' (allowed: virtio, scsi)"
    )
    assert fix == (
        "run `openstack image set --property hw_disk_bus=virtio 1f2e`; use a "
        "guest with virtio drivers (Linux has them; Windows gets them from "
        "virtio-win)"
    )
    (row,) = messages.rows([violation], Subject(UPDATE, image="1f2e"))
    assert row == ("guest_devices.disk_bus", "enforce", asked, fix)


def test_a_message_in_a_table_is_its_text_and_its_fix():
    message = Message("no host has it", "a source", "it", fix="ask")
    violation = Violation(("hosts.require",), message, Mode.WARN)
    assert messages.parts(violation, Subject(BOOT)) == (
        "no host has it",
        "ask",
    )


def test_what_an_answer_has_at_most_is_its_sentences_and_its_whole_fix():
    fix = "y" * 4000
    message = Message("x`" * 500, "a source", "it", fix=fix)
    violation = Violation(("hosts.require",), message, Mode.ENFORCE)
    text = messages.api_message([violation] * MOST, Subject(BOOT))
    sentences, _, whole = text.partition(" To fix: ")
    assert whole == fix
    assert len(text.encode()) == MESSAGE_LIMIT
    assert sentences.endswith("...")
    assert "…" not in text
    assert " (12) x'" in sentences
    assert "`" not in text
    # nothing is cut that has the room
    text = messages.api_message([violation] * 10, Subject(BOOT))
    assert " (10) " + message.text.replace("`", "'") + ". [rule " in text
    assert text.endswith(f"[rule hosts.require] To fix: {fix}")
