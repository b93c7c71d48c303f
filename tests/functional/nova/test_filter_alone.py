# SPDX-License-Identifier: Apache-2.0
"""The scheduler's gate without a scheduler: hosts in, hosts and an event out.

Real RequestSpecs and a real policy; only Placement's answer is given.
"""

import logging
from types import SimpleNamespace

import pytest
from nova import exception, objects

from nova_vhard.gates import (
    http,
    nova_release,
    nova_stored,
    posture_filter,
    scheduler,
)
from tests import logged
from tests.functional.nova import stored
from tests.functional.nova import test_candidates as candidates
from tests.functional.nova import test_lookups as lookups
from tests.functional.nova.test_proven import Placement, host
from tests.functional.nova.test_request_spec import (
    CELL,
    IMAGE,
    requests,
    spec,
)
from tests.policy_option import policy_option

POLICY = """\
version: "1"
applies_to: {hypervisor_type: [QEMU]}
guest_devices: {disk_bus: {allow: [virtio]}}
passthrough: {allow: {aliases: [gpu], ports: [vf]}, require: [iommu]}
"""
A, B, BARE = host("a"), host("b"), host("metal", "ironic")
NO_CANDIDATE = (
    "no host with room for this server has passed the checks iommu; try again "
    "later, or use no passthrough devices"
)


@pytest.fixture
def gate(tmp_path, monkeypatch, caplog):
    """Give a gate of a cloud in which host a alone has proven something."""
    caplog.set_level(logging.INFO)
    with policy_option(tmp_path, POLICY) as path:
        made = scheduler.VirtHardeningFilter()
        placement = Placement("a")
        monkeypatch.setattr(
            posture_filter, "_connect", lambda _limit: placement
        )
        made.placement, made.policy_file = placement, path
        made.stored = stored.Stored(monkeypatch.setattr)
        yield made


def reason(gate, hosts, request):
    """Return why no host is left."""
    with pytest.raises(exception.NoValidHost) as raised:
        gate.filter_all(iter(hosts), request)
    return raised.value.kwargs["reason"]


def event(caplog):
    """Return the one event, as far as it says what came of the request."""
    (whole,) = logged.decisions(caplog)
    assert whole["gate"] == "scheduler"
    return whole["operation"], whole["outcome"], whole["rules"]


def test_the_proven_host_is_left(gate, caplog):
    assert gate.filter_all(iter([B, A, BARE]), spec()) == [A, BARE]
    assert event(caplog) == ("boot", "allow", [])


def test_a_tenants_hint_makes_no_rebuild_of_a_boot(gate, caplog):
    assert gate.filter_all(iter([B, A, BARE]), spec(**HINT)) == [A, BARE]
    assert event(caplog) == ("boot", "allow", [])


def test_no_proven_host_is_a_refusal_with_its_rule(gate, caplog):
    assert reason(gate, [B], spec()) == NO_CANDIDATE
    assert event(caplog) == ("boot", "refuse", ["passthrough.require"])


def test_in_mode_warn_the_rule_stands_in_the_event(gate, caplog):
    warned = POLICY.replace("require:", "mode: warn, require:")
    gate.policy_file.write_text(warned)
    again = scheduler.VirtHardeningFilter()
    assert again.filter_all(iter([B]), spec()) == [B]
    assert event(caplog) == ("boot", "warn", ["passthrough.require"])


def test_what_the_devices_violate_stays_beside_the_hosts(gate, caplog):
    """A device in mode audit, and no host in mode enforce."""
    audited = POLICY.replace("allow: [virtio]", "allow: [virtio], mode: audit")
    gate.policy_file.write_text(audited)
    again = scheduler.VirtHardeningFilter()
    meta = {"id": IMAGE, "properties": {"hw_disk_bus": "ide"}}
    request = spec(image=objects.ImageMeta.from_dict(meta))
    assert reason(again, [B], request) == NO_CANDIDATE
    rules = ["guest_devices.disk_bus", "passthrough.require"]
    assert event(caplog) == ("boot", "refuse", rules)


@pytest.mark.parametrize("hosts", [[A], [A, BARE]])
def test_a_refused_device_is_for_hosts_that_are_not_judged(
    gate, caplog, hosts
):
    meta = {"id": IMAGE, "properties": {"hw_disk_bus": "ide"}}
    request = spec(image=objects.ImageMeta.from_dict(meta))
    if BARE in hosts:
        assert gate.filter_all(iter(hosts), request) == [BARE]
    else:
        assert "hw_disk_bus=ide" in reason(gate, hosts, request)
    assert event(caplog) == ("boot", "refuse", ["guest_devices.disk_bus"])
    assert gate.placement.asked == []


@pytest.mark.parametrize(
    ("disks", "rules"),
    [
        ((), []),
        (
            ({"device_type": "cdrom", "disk_bus": "ide"},),
            ["guest_devices.cdrom_bus"],
        ),
    ],
)
def test_what_an_image_lists_is_read_from_the_rows(gate, caplog, disks, rules):
    """Nova adds it to the rows of the BuildRequest."""
    gate.policy_file.write_text(POLICY.replace("disk_bus", "cdrom_bus"))
    gate.stored.disks = tuple(
        {"source_type": "blank", "destination_type": "volume", **disk}
        for disk in disks
    )
    again = scheduler.VirtHardeningFilter()
    listed = {"img_block_device_mapping": [{"device_type": "cdrom"}]}
    meta = {"id": IMAGE, "properties": {"hw_machine_type": "pc", **listed}}
    request = spec(image=objects.ImageMeta.from_dict(meta))
    if rules:
        assert "block device[0].disk_bus=ide" in reason(again, [A], request)
    else:
        assert again.filter_all(iter([A]), request) == [A]
    assert event(caplog)[2] == rules


@pytest.mark.parametrize(
    ("image", "origin"), [({"id": IMAGE}, "image"), ({}, "volume")]
)
def test_what_a_rescue_of_a_new_server_would_boot(gate, image, origin):
    """The RequestSpec does not keep it."""
    kept = {"image_base_image_ref": "http://203.0.113.1/image"}
    gate.stored.fields = {"system_metadata": kept}
    request = spec(image=objects.ImageMeta.from_dict(image))
    assert reason(gate, [A], request).startswith(
        f"{origin} property base_image_ref="
    )


SIGNED = """\
version: "1"
guest_devices: {image_signature: {allow: ["?*"], explicit: true}}
"""
OTHER_ID = "5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9"
ROOT = {"boot_index": 0, "source_type": "image"}
BY_ID = {"id": IMAGE}
VOLUME = {"source_type": "volume", "volume_id": OTHER_ID}


@pytest.mark.parametrize(
    ("image", "disk", "is_other"),
    [
        (BY_ID, {**ROOT, "image_id": IMAGE}, False),
        (BY_ID, {**ROOT, "image_id": OTHER_ID}, True),
        (BY_ID, {**VOLUME, "boot_index": 1}, True),
        (BY_ID, {**VOLUME, "boot_index": -1}, False),
        (BY_ID, {**VOLUME, "boot_index": None}, False),
        (BY_ID, {"source_type": "blank", "boot_index": 1}, False),
        # the root volume, of which the RequestSpec has the metadata
        ({}, {**VOLUME, "boot_index": 0}, False),
        ({}, {**VOLUME, "boot_index": 0, "snapshot_id": OTHER_ID}, True),
        ({}, {**VOLUME, "boot_index": 1}, True),
    ],
)
def test_a_file_that_is_not_the_image_is_unsigned(
    gate, caplog, image, disk, is_other
):
    gate.policy_file.write_text(SIGNED)
    gate.stored.disks = ({"destination_type": "volume", **disk},)
    again = scheduler.VirtHardeningFilter()
    meta = {**image, "properties": {"img_signature": "c2ln"}}
    request = spec(image=objects.ImageMeta.from_dict(meta))
    if is_other:
        reason(again, [A], request)
    else:
        assert again.filter_all(iter([A]), request) == [A]
    rules = ["guest_devices.image_signature"] if is_other else []
    assert event(caplog)[2] == rules


DESTINATION = objects.Destination(cell=CELL)
OLD = {"pci_passthrough:alias": "old:1"}


def flavor(number="1", specs=(), **sizes):
    """Return a flavor by its id."""
    return objects.Flavor(
        name="f", flavorid=number, extra_specs=dict(specs or ()), **sizes
    )


@pytest.mark.parametrize(
    ("had", "wanted", "left", "seen"),
    [
        # A device that no project may ask for moves to a proven host.
        (flavor("1", OLD), flavor("1", OLD), [A], "move"),
        (flavor("1", OLD), flavor("2", OLD), [A], "resize"),
        (flavor("1"), flavor("2", OLD), None, "resize"),
        (flavor("1", OLD), flavor("2"), [A, B], "resize"),
    ],
    ids=["move", "kept", "brought in", "given up"],
)
def test_a_move_is_judged_by_what_the_server_has(
    gate, caplog, had, wanted, left, seen
):
    gate.stored.fields = {"flavor": had}
    request = spec(flavor=wanted, requested_destination=DESTINATION)
    if left is None:
        assert "old" in reason(gate, [A], request)
    else:
        assert gate.filter_all(iter([A, B]), request) == left
    operation, outcome, rules = event(caplog)
    assert (operation, outcome == "refuse") == (seen, left is None)
    assert rules == (["passthrough.allow"] if wanted.extra_specs else [])


@pytest.mark.parametrize("requested", [spec(), None], ids=["spec", "none"])
def test_a_fault_of_ours_is_no_host_and_logged(
    gate, monkeypatch, caplog, requested
):
    """Without a context the id of the request is not known."""

    def fail(_spec):
        raise RuntimeError("broken")

    monkeypatch.setattr(scheduler.request_spec, "read", fail)
    context = requested._context if requested else None
    assert reason(gate, [A], requested) == http.fault_text(context)
    assert logged.lines(caplog, "nova_vhard.gates.scheduler") == [
        ("ERROR", "The gate of the scheduler has failed")
    ]
    assert logged.decisions(caplog) == []


@pytest.mark.parametrize(
    ("release", "ignored"),
    [
        (31, ["one_time_use", "passthrough_one_time_use"]),
        (32, []),
        (34, []),
    ],
)
def test_what_a_release_ignores(monkeypatch, release, ignored):
    monkeypatch.setattr(nova_release, "release", lambda: release)
    checks = ("passthrough_one_time_use", "iommu", "one_time_use")
    assert nova_release.ignored(checks) == ignored


def test_the_last_good_policy_is_kept_for_this_service(gate, tmp_path):
    kept = {each.name for each in (tmp_path / "state").iterdir()}
    assert kept == {
        "policy-nova-scheduler.json",
        "policy-nova-scheduler.json.runs",
    }


def test_the_devices_of_each_host_are_judged_after_the_hosts(gate):
    gate.policy_file.write_text(
        POLICY.replace("require: [iommu]", "require: [one_time_use]")
    )
    alias = requests()
    del alias.requests[1:]
    asked = spec(pci_requests=alias)
    both = candidates.host(candidates.candidate("used"))
    assert reason(gate, [both], asked).startswith(
        "no device for gpu can be shown to be one_time_use"
    )


HINT = {"scheduler_hints": {"_nova_check_type": ["rebuild"]}}
REBUILD = {**HINT, "force_hosts": ["a"]}

BUILT = ["BuildRequest"]
IN_CELL = ["InstanceMapping", "Instance", "BlockDeviceMappingList"]


@pytest.mark.parametrize(
    ("new", "fields", "asked"),
    [
        (True, {}, BUILT),
        (True, HINT, BUILT),
        # Nova does not mark every move.
        (False, {}, [*BUILT, "InstanceMapping", *IN_CELL]),
        (False, {"requested_destination": DESTINATION}, IN_CELL),
        (False, REBUILD, []),
    ],
    ids=["boot", "hint", "unmarked", "move", "rebuild"],
)
def test_it_is_read_once_and_by_an_administrator(gate, new, fields, asked):
    """The user who moves a server may not be allowed to see it."""
    gate.stored.new = new
    request = spec(flavor=flavor(), **fields)
    assert gate.filter_all(iter([A, B]), request) == [A, B]
    assert [name for name, _ in gate.stored.asked] == asked
    assert all(who.is_admin for _, who in gate.stored.asked)
    assert gate.stored.servers <= {request.instance_uuid}
    cells = {
        who.cell_uuid for name, who in gate.stored.asked if name in IN_CELL[1:]
    }
    assert cells <= {stored.CELL.uuid}
    assert not request._context.is_admin


def test_a_rebuild_is_charged_with_its_image_alone(gate, caplog):
    meta = {"id": IMAGE, "properties": {"hw_disk_bus": "ide"}}
    request = spec(
        flavor=flavor("2", OLD),
        image=objects.ImageMeta.from_dict(meta),
        **REBUILD,
    )
    text = reason(gate, [A], request)
    assert "hw_disk_bus=ide" in text
    assert "old" not in text
    rules = ["guest_devices.disk_bus", "passthrough.allow"]
    assert event(caplog) == ("rebuild", "refuse", rules)


EXEMPTION = """\
exemptions:
  - id: old
    reason: its driver
    projects: [p1]
    rules: {guest_devices.disk_bus: [ide], passthrough.require: [iommu]}
    until: 2999-12-31
"""


@pytest.mark.parametrize("fields", [{}, REBUILD], ids=["boot", "rebuild"])
def test_an_exemption_that_has_not_ended_holds(gate, fields):
    gate.policy_file.write_text(POLICY + EXEMPTION)
    again = scheduler.VirtHardeningFilter()
    meta = {"id": IMAGE, "properties": {"hw_disk_bus": "ide"}}
    image = objects.ImageMeta.from_dict(meta)
    request = spec(image=image, **fields)
    assert again.filter_all(iter([A, B]), request) == [A, B]
    # what is not exempted is refused, by the same day
    moved = spec(
        flavor=flavor("2", OLD), image=image, requested_destination=DESTINATION
    )
    assert "old" in reason(again, [A], moved)


#: The root volume, whose image is exempted, and whom of Cinder is asked.
ROOTS = [
    ({"volume_id": lookups.VOLUME}, [lookups.VOLUME]),
    # The volume of a new server does not exist yet.
    (
        {"snapshot_id": lookups.SNAPSHOT},
        [lookups.SNAPSHOT, lookups.VOLUME],
    ),
]


@pytest.mark.parametrize(("root", "asked"), ROOTS)
@pytest.mark.parametrize(
    ("project", "image", "left"),
    [
        ("p1", lookups.IMAGE, [A]),
        ("p1", OTHER_ID, None),
        ("p2", lookups.IMAGE, None),
    ],
)
def test_an_exemption_by_the_image_of_a_volume(
    gate, root, asked, project, image, left
):
    """The RequestSpec does not have it, so Cinder is asked."""
    again, request = on_a_volume(gate, root, project, image)
    again._volumes = cinder = lookups.Cinder()
    if left:
        assert again.filter_all(iter([A]), request) == left
    else:
        assert "hw_disk_bus=ide" in reason(again, [A], request)
    who = request._context
    asked = asked if project == "p1" else []
    assert cinder.asked == [(who, name) for name in asked]


def test_cinder_is_not_asked_for_the_image_of_a_request(gate):
    (root, _), *_ = ROOTS
    again, request = on_a_volume(gate, root, "p1", OTHER_ID)
    again._volumes = cinder = lookups.Cinder()
    request.image.id = OTHER_ID
    assert again.filter_all(iter([A]), request) == [A]
    assert cinder.asked == []


def test_an_exemption_by_an_image_that_cinder_does_not_tell(gate, caplog):
    (root, _), *_ = ROOTS
    again, request = on_a_volume(gate, root, "p1", lookups.IMAGE)
    again._volumes = SimpleNamespace()
    assert "hw_disk_bus=ide" in reason(again, [A], request)
    ((level, line),) = logged.lines(caplog, "nova_vhard.gates.nova_volumes")
    assert level == "WARNING"
    assert line == (
        "The image of a root volume is not known: "
        "'types.SimpleNamespace' object has no attribute 'get'"
    )


def on_a_volume(gate, root, project, image):
    """Return a gate with an exemption, and the request of a new server."""
    held = f"projects: [{project}]\n    images: [{image}]"
    exemption = EXEMPTION.replace("projects: [p1]", held)
    gate.policy_file.write_text(POLICY + exemption)
    disk = {"destination_type": "volume", "boot_index": 0, **root}
    gate.stored.disks = ({"source_type": "volume", **disk},)
    meta = {"properties": {"hw_disk_bus": "ide"}}
    request = spec(image=objects.ImageMeta.from_dict(meta))
    return scheduler.VirtHardeningFilter(), request


@pytest.mark.parametrize(
    ("late", "deleted"),
    [(True, False), (False, False), (False, True)],
    ids=["late", "never", "deleted"],
)
def test_a_new_server_that_a_database_shows_late(
    gate, monkeypatch, late, deleted
):
    """Nova stores a new server before it calls a scheduler."""
    gate.stored.deleted = deleted
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        gate.stored.new = late

    monkeypatch.setattr(nova_stored.time, "sleep", sleep)
    gate.stored.new, gate.stored.cell = False, None
    if late:
        assert gate.filter_all(iter([A]), spec()) == [A]
    else:
        assert reason(gate, [A], spec()) == nova_stored.GONE
    assert slept == [nova_stored.LATE] * (not deleted)
    assert all(who.is_admin for _, who in gate.stored.asked)


@pytest.mark.parametrize(
    "fields", [{}, {"requested_destination": DESTINATION}]
)
def test_a_server_that_is_in_no_database(gate, monkeypatch, fields):
    monkeypatch.setattr(nova_stored, "LATE", 0)
    gate.stored.new, gate.stored.cell = False, None
    assert reason(gate, [A], spec(**fields)) == nova_stored.GONE


LIVE = {"requested_destination": DESTINATION}
#: Image properties, extra specs, and the verdict on a move if the server's
#: cell is down: neither its devices nor its flavor are known then.
AWAY = [
    ({}, {}, "allow", []),
    ({"hw_disk_bus": "ide"}, {}, "warn", ["guest_devices.disk_bus"]),
    ({}, OLD, "refuse", ["passthrough.allow"]),
]


@pytest.mark.parametrize("asked", ["Instance", "BlockDeviceMappingList"])
@pytest.mark.parametrize(("properties", "specs", "outcome", "rules"), AWAY)
def test_a_live_migration_while_the_cell_is_away(
    gate, caplog, asked, properties, specs, outcome, rules
):
    gate.stored.away = {asked}
    gate.stored.fields = {"flavor": flavor("1", specs)}
    meta = {"id": IMAGE, "properties": properties}
    request = spec(
        flavor=flavor("1", specs),
        image=objects.ImageMeta.from_dict(meta),
        **LIVE,
    )
    if outcome == "refuse":
        assert "old" in reason(gate, [A], request)
    else:
        assert gate.filter_all(iter([A]), request) == [A]
    assert event(caplog) == ("move", outcome, rules)
    ((level, text),) = logged.lines(caplog, "nova_vhard.gates.nova_stored")
    assert level == "WARNING"
    assert text == (
        f"The cell of server {request.instance_uuid} does not answer, so that "
        "its RequestSpec alone is judged: away"
    )


@pytest.mark.parametrize("asked", ["BuildRequest", "InstanceMapping"])
def test_no_host_is_left_without_novas_api_database(gate, asked):
    gate.stored.away, gate.stored.new = {asked}, asked == "BuildRequest"
    fields = {} if gate.stored.new else LIVE
    request = spec(**fields)
    assert reason(gate, [A], request) == http.fault_text(request._context)


def test_what_a_server_has_moves_with_it(gate, caplog):
    """Only the same device with the same value is accepted in a move."""
    gate.stored.disks = (
        {
            "source_type": "volume",
            "destination_type": "volume",
            "device_name": "/dev/sdb",
            "disk_bus": "ide",
        },
        # It was attached while the server had no host.
        {"source_type": "volume", "destination_type": "volume"},
    )
    gate.policy_file.write_text(POLICY)
    request = spec(flavor=flavor(), **LIVE)
    assert gate.filter_all(iter([A]), request) == [A]
    assert event(caplog) == ("move", "warn", ["guest_devices.disk_bus"])


@pytest.mark.parametrize(
    ("drive", "outcome", "rules"),
    [("", "allow", []), ("True", "warn", ["guest_devices.cdrom_bus"])],
)
def test_a_config_drive_moves_with_its_server(
    gate, caplog, drive, outcome, rules
):
    properties = {"hw_machine_type": "pc"}
    gate.policy_file.write_text(POLICY.replace("disk_bus", "cdrom_bus"))
    gate.stored.fields = {
        "config_drive": drive,
        "system_metadata": {"image_hw_machine_type": "pc"},
    }
    meta = {"id": IMAGE, "properties": properties}
    image = objects.ImageMeta.from_dict(meta)
    request = spec(flavor=flavor(), image=image, **LIVE)
    again = scheduler.VirtHardeningFilter()
    assert again.filter_all(iter([A]), request) == [A]
    assert event(caplog) == ("move", outcome, rules)


def test_no_server_has_what_only_a_rescue_would_give_it(gate, caplog):
    gate.policy_file.write_text(POLICY.replace("disk_bus", "rescue_bus"))
    gate.stored.fields = {
        "image_ref": IMAGE,
        "system_metadata": {"image_hw_rescue_bus": "ide"},
    }
    meta = {"id": IMAGE, "properties": {"hw_rescue_bus": "ide"}}
    image = objects.ImageMeta.from_dict(meta)
    request = spec(flavor=flavor("2"), image=image, **LIVE)
    again = scheduler.VirtHardeningFilter()
    assert "hw_rescue_bus=ide" in reason(again, [A], request)
    assert event(caplog) == ("resize", "refuse", ["guest_devices.rescue_bus"])


@pytest.mark.parametrize(
    ("had", "wanted", "outcome"),
    [
        ({}, {}, "warn"),
        ({}, {"swap": 512}, "refuse"),
        ({}, {"ephemeral_gb": 1}, "refuse"),
        ({"swap": 512, "ephemeral_gb": 1}, {"swap": 1024}, "warn"),
    ],
    ids=["none", "new swap", "new ephemeral disk", "more swap"],
)
def test_a_new_disk_of_the_flavor_is_not_one_that_the_server_has(
    gate, caplog, had, wanted, outcome
):
    """Nova adds swap and an ephemeral disk on the bus of the image."""
    meta = {"id": IMAGE, "properties": {"hw_disk_bus": "ide"}}
    gate.stored.fields = {
        "flavor": flavor("1", **had),
        "image_ref": IMAGE,
        "system_metadata": {"image_hw_disk_bus": "ide"},
    }
    gate.stored.disks = (
        {
            "source_type": "image",
            "destination_type": "local",
            "device_name": "/dev/hda",
            "boot_index": 0,
            "image_id": IMAGE,
        },
    )
    request = spec(
        flavor=flavor("2", **wanted),
        image=objects.ImageMeta.from_dict(meta),
        requested_destination=DESTINATION,
    )
    if outcome == "refuse":
        assert "hw_disk_bus=ide" in reason(gate, [A], request)
    else:
        assert gate.filter_all(iter([A]), request) == [A]
    assert event(caplog) == ("resize", outcome, ["guest_devices.disk_bus"])


@pytest.mark.parametrize(
    ("source", "rules"),
    [("image", []), ("blank", ["guest_devices.device_type"])],
)
def test_the_images_own_disk_has_no_kind_of_its_own(
    gate, caplog, source, rules
):
    """Nova writes the kind of every disk into its database."""
    kinds = "{device_type: {allow: [lun]}, disk_bus"
    gate.policy_file.write_text(POLICY.replace("{disk_bus", kinds))
    gate.stored.disks = (
        {
            "source_type": source,
            "destination_type": "local",
            "device_type": "disk",
        },
    )
    if rules:
        assert "device_type=disk" in reason(gate, [A], spec())
    else:
        assert gate.filter_all(iter([A]), spec()) == [A]
    assert event(caplog) == ("boot", "refuse" if rules else "allow", rules)
