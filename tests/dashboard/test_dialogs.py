# SPDX-License-Identifier: Apache-2.0
"""A refusal in each of Horizon's dialogs: whole, once, and it stays open."""

import json

import pytest

from nova_vhard.policy.subject import SNAPSHOT
from tests.unit.explain import sentences
from tests.unit.explain.requests import change
from tests.unit.helpers import shipped

#: The button that closes it.
CLOSE = "\N{MULTIPLICATION SIGN}"
TITLE = "The hardening policy of this cloud refuses this."
_IDE = (
    "is not allowed (allowed: virtio, scsi): emulated disk controllers have "
    "had guest escapes; on virtio or scsi, only a guest with virtio drivers "
    "boots (Linux has them; Windows gets them from virtio-win). "
)
IDE = f"image property hw_disk_bus='ide' {_IDE}[rule guest_devices.disk_bus]"
#: The same by the form's own label.
LABELED = f"Disk Bus: ide {_IDE}Rule guest_devices.disk_bus"
BUTTON = "Set Disk Bus to virtio"
E1000 = (
    "image property hw_vif_model='e1000' is not allowed (allowed: virtio): "
    "emulated network cards have had guest escapes; with virtio, the guest "
    "needs the virtio network driver. "
    "[rule guest_devices.vif_model]"
)


@pytest.fixture
def disk(tmp_path):
    file = tmp_path / "disk.img"
    file.write_text("a disk of a few bytes")
    return str(file)


def lines(*content):
    """Return the whole of a refusal, as it is to be read."""
    return "\n".join((CLOSE, TITLE, *content))


def test_create_image(as_member, disk):
    as_member.go("/project/images")
    as_member.click("button", "Create Image")
    as_member.find("input[name=name]").send_keys("edge-fw")
    as_member.elements("input[type=file]")[0].send_keys(disk)
    as_member.select("format", "Raw")
    as_member.step("Metadata")
    as_member.add_bus("ide")
    as_member.finish()
    assert as_member.refusal("create-image") == lines(LABELED, BUTTON)

    # The input is kept, and it is accepted once the button has corrected it.
    as_member.click("button", BUTTON)
    assert as_member.bus() == "virtio"
    as_member.finish()
    as_member.until(as_member.is_closed)
    assert as_member.find("tbody tr", "edge-fw")


def test_buttons_change_the_form(as_member):
    as_member.go("/project/images")
    as_member.click("button", "Create Image")
    as_member.step("Metadata")
    as_member.add_bus("ide")
    wanted = {"hw_disk_bus": None, "hw_cdrom_bus": "sata", "not_there": "x"}
    changes = [{"property": k, "value": v} for k, v in wanted.items()]
    refusal = {"violations": [], "more": 0, "changes": changes}
    refusal |= {"fix": "use `x`", "left": 0}
    as_member.chromium.run(f"novaVhard.show({json.dumps(refusal)})")
    # Without a field there is no button, and so the whole fix is shown.
    assert as_member.refusal() == lines(
        "To fix: use x Copy", "Remove Disk Bus", "Set CD-ROM Bus to sata"
    )
    for name in ("Remove Disk Bus", "Set CD-ROM Bus to sata"):
        as_member.click("button", name)
        assert not as_member.find("button", name).is_enabled()
    fields = as_member.shown("metadata-tree-item .input-group")
    assert [field.text.split()[0] for field in fields] == ["hw_cdrom_bus"]
    assert as_member.bus() == "sata"


def test_edit_image(as_member, image):
    as_member.go("/project/images")
    as_member.act(image, "Edit Image")
    as_member.step("Metadata")
    as_member.set_bus("ide")
    as_member.finish()
    assert as_member.refusal("edit-image") == lines(LABELED, BUTTON)


def test_update_metadata(as_admin, image):
    as_admin.go("/admin/images")
    as_admin.act(image, "Update Metadata")
    as_admin.set_bus("ide")
    as_admin.finish()
    assert as_admin.refusal("update-metadata") == lines(LABELED, BUTTON)
    assert not as_admin.shown(".modal-footer .fa-spinner")


def test_launch_instance(as_member):
    as_member.go("/project/images")
    as_member.act("old-router", "Launch")
    as_member.find(".wizard input[name=name]").send_keys("router")
    # The only one is chosen as soon as everything is loaded.
    as_member.step("Networks")
    assert as_member.find(".step tbody tr", "private")
    as_member.step("Flavor")
    as_member.allocate("m1.tiny")
    as_member.finish()
    text = as_member.refusal("launch-instance")
    assert text.startswith(lines(IDE, E1000, "To fix: only project "))
    assert "run openstack image save --file my-copy.img " in text
    as_member.step("Details")
    name = as_member.find(".wizard input[name=name]")
    assert name.get_attribute("value") == "router"


def test_rebuild_instance(as_member, member, server):
    as_member.go("/project/instances/")
    as_member.act(server.name, "Rebuild Instance")
    as_member.pick("image", "old-router")
    typed = as_member.find("textarea[name=description]")
    typed.send_keys("a router")
    as_member.finish()
    text = as_member.refusal("rebuild-instance")
    assert text.startswith(lines(IDE, E1000, "To fix: only project "))
    assert typed.get_attribute("value") == "a router"

    # The same dialog, when it is not refused.
    as_member.pick("image", "clean")
    as_member.finish()
    as_member.until(as_member.is_closed)
    actions = member.compute().server_actions(server)
    assert next(iter(actions)).action == "rebuild"


def test_rescue_instance(as_member, server):
    as_member.go("/project/instances/")
    as_member.act(server.name, "Rescue Instance")
    as_member.pick("image", "old-router")
    typed = as_member.find("input[name=password]")
    typed.send_keys("secret")
    as_member.finish()
    text = as_member.refusal("rescue-instance")
    assert text.startswith(lines(IDE, E1000, "To fix: only project "))
    assert typed.get_attribute("value") == "secret"


def test_resize_instance(as_member, server, loud_flavor):
    as_member.go("/project/instances/")
    as_member.act(server.name, "Resize Instance")
    as_member.pick("flavor", loud_flavor)
    as_member.finish()
    text = as_member.refusal("resize-instance")
    assert "flavor extra spec hw:sound_model='ich9' is not allowed" in text
    flavor = f"other than {loud_flavor}, without hw:sound_model"
    assert f"To fix: choose a flavor {flavor}" in text


def test_attach_interface(as_member, server, port):
    as_member.go("/project/instances/")
    as_member.act(server.name, "Attach Interface")
    as_member.pick("specification_method", "port")
    as_member.pick("port", port)
    as_member.finish()
    text = as_member.refusal("attach-interface")
    assert text.startswith(lines(""))
    assert "[rule passthrough.allow]" in text


def test_attach_volume(as_member, old_server, volume):
    as_member.go("/project/instances/")
    as_member.act(old_server.name, "Attach Volume")
    as_member.pick("volume", volume)
    as_member.finish()
    text = as_member.refusal("attach-volume")
    assert text.startswith(lines(f"{IDE} To fix: "))


def test_create_snapshot(as_member, server, nova_answers):
    request = change({}, {"hw_disk_bus": "ide"}, SNAPSHOT)
    message = sentences.answered(shipped("baseline"), request)
    nova_answers(403, {"forbidden": {"code": 403, "message": message}})
    as_member.go("/project/instances/")
    as_member.act(server.name, "Create Snapshot")
    typed = as_member.find("input[name=name]")
    typed.send_keys("copy")
    as_member.finish()
    text = as_member.refusal("create-snapshot")
    assert text.startswith(lines(f"{IDE} To fix: "))
    assert typed.get_attribute("value") == "copy"
