# SPDX-License-Identifier: Apache-2.0
"""Number of look-ups per request: each object once, within a limit."""

import uuid
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import pytest
from nova import exception, objects
from nova.compute import api as compute
from nova.context import RequestContext
from nova.network import neutron
from nova.volume import cinder

from nova_vhard.gates import nova_images, nova_lookup, nova_servers
from nova_vhard.gates.nova_lookup import (
    NovaLookups,
    Services,
)
from nova_vhard.policy.hardware import STORED, Holder
from nova_vhard.policy.hardware import VOLUME as ON_A_VOLUME
from nova_vhard.policy.subject import Subject
from nova_vhard.request.lookups import (
    Image,
    LookupFailed,
    NotFound,
    NotShown,
    Server,
)
from tests.functional.nova import (
    helpers,  # noqa: F401 - registers objects
)
from tests.functional.nova.test_servers_read import VOLUME as ATTACHED
from tests.functional.nova.test_servers_read import device, instance

WHO = RequestContext("u", "p1", project_domain_id="d", is_admin=False)
#: As Nova's client of Glance raises it of an image that is not shared.
HIDDEN = exception.ImageNotFound("hidden")
HIDDEN.__cause__ = nova_images.glanceclient.exc.HTTPNotFound()

SERVER, IMAGE, VOLUME, SNAPSHOT, OTHER, GONE = (
    str(uuid.UUID(int=9000 + number)) for number in range(6)
)
SHOWN = {"id": IMAGE, "owner": "p1", "hw_disk_bus": "ide"}


IN_CINDER = {
    "id": VOLUME,
    "project_id": "p1",
    "volume_image_metadata": {"hw_disk_bus": "ide", "image_id": IMAGE},
}
OF_CINDER = {"id": SNAPSHOT, "volume_id": VOLUME}


class Everything:
    """Everything that the look-ups ask.

    :ivar answers: by kind or name of an object: an error, or the answer
    :ivar asked: what was asked for, with all arguments
    """

    def __init__(self, patch):
        self.asked = []
        self.answers = {
            "image": SHOWN,
            "flavor": objects.Flavor(name="f", flavorid="f"),
            "volume": IN_CINDER,
            "snapshot": OF_CINDER,
        }
        for owner, name, kind in (
            (objects.Flavor, "get_by_flavor_id", "flavor"),
            (nova_images, "get", "image"),
            (nova_servers, "recorded", "record"),
            (nova_servers, "block_devices", "devices"),
            (nova_servers, "host", "host"),
        ):
            patch.setattr(owner, name, self.of(kind))
        services = SimpleNamespace(
            volumes=SimpleNamespace(
                get=self.of("volume"), get_snapshot=self.of("snapshot")
            ),
            ports=SimpleNamespace(show_port=self.of("port")),
            servers=SimpleNamespace(get=self.of("server")),
        )
        self.find = NovaLookups(services, WHO)

    def of(self, kind):
        def ask(*arguments, **more):
            self.asked.append((kind, *arguments, *more.items()))
            name = arguments[-1]
            shown = {"id": name, "binding:vnic_type": "normal"}
            answer = {**shown, "port": shown}
            if kind == "server":
                answer = instance(uuid=name)
            answer = self.answers.get(kind, answer)
            if isinstance(name, str):
                answer = self.answers.get(name, answer)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return ask

    def names(self):
        """Return the last argument of each call."""
        return [each[-1] for each in self.asked]


@pytest.fixture
def nova(monkeypatch):
    return Everything(monkeypatch)


@pytest.mark.parametrize("name", ["", None, 7, ["a"], "a/b", "http://x/y"])
@pytest.mark.parametrize(
    ("look_up", "kind"),
    [
        ("port", "port"),
        ("image", "image"),
        ("volume", "volume"),
        ("volume_snapshot", "snapshot"),
        ("instance", "server"),
    ],
)
def test_an_address_is_nobodys_to_open(nova, look_up, kind, name):
    with pytest.raises(NotFound, match=f"^no {kind} has such an id$"):
        getattr(nova.find, look_up)(name)
    assert nova.asked == []


def test_an_object_is_asked_for_once(nova):
    for port in ("1", "2", "1"):
        assert nova.find.port(port)["id"] == port
    assert nova.names() == ["1", "2"]


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (
            exception.PortNotFound(port_id="x"),
            NotFound,
            "the port is not there: Port id x could not be found.",
        ),
        (exception.Invalid("odd"), NotFound, "the port is not there: odd"),
        (HIDDEN, NotShown, "the port is not there: hidden"),
        (
            exception.ImageNotFound("forbidden"),
            NotFound,
            "the port is not there: forbidden",
        ),
        (
            exception.CinderConnectionFailed(reason="down"),
            LookupFailed,
            "port: Connection to cinder host failed: down",
        ),
        (OSError("cut off"), LookupFailed, "port: OSError: cut off"),
    ],
)
def test_after_a_failure_nothing_is_asked_for(nova, error, kind, text):
    nova.answers["a"] = error
    for name in ("a", "a", "b"):
        with pytest.raises(kind) as raised:
            nova.find.port(name)
        assert (type(raised.value), str(raised.value)) == (kind, text)
    assert nova.names() == ["a"]


ROOT = {
    "source_type": "volume",
    "destination_type": "volume",
    "boot_index": 0,
    "uuid": VOLUME,
}
LOCAL = {
    **ROOT,
    "source_type": "image",
    "destination_type": "local",
    "uuid": IMAGE,
}
LEGACY = {
    "block_device_mapping": [{"device_name": "vda", "volume_id": VOLUME}]
}
OF_IMAGE = Image(SHOWN, holder=Holder(IMAGE, "p1"))
OF_VOLUME = Image(
    {"hw_disk_bus": "ide"},
    None,
    ON_A_VOLUME,
    Holder(VOLUME, "p1", made_of=IMAGE),
)


def disks(*disks):
    """Return the part of a body that names disks."""
    return {"block_device_mapping_v2": list(disks)}


@pytest.mark.parametrize(
    ("body", "expected", "asked"),
    [
        ({"imageRef": IMAGE, **disks(LOCAL)}, OF_IMAGE, [IMAGE]),
        (
            disks({**LOCAL, "destination_type": "volume", "volume_size": 1}),
            OF_IMAGE,
            [IMAGE],
        ),
        (disks(ROOT), OF_VOLUME, [VOLUME]),
        (
            disks({**ROOT, "source_type": "snapshot", "uuid": SNAPSHOT}),
            OF_VOLUME,
            [SNAPSHOT, VOLUME],
        ),
        (LEGACY, OF_VOLUME, [VOLUME]),
    ],
    ids=["both", "copied", "volume", "snapshot", "format 1"],
)
def test_the_image_of_a_boot(nova, body, expected, asked):
    assert nova.find.boot_image(body) == expected
    calls = [each[1:] for each in nova.asked]
    assert calls == [(WHO, name) for name in asked]


BY_NAME = [
    ("flavor", "flavor", [("read_deleted", "no")]),
    ("image", "image", []),
    ("volume", "volume", []),
    ("volume_snapshot", "snapshot", []),
    ("port", "port", []),
    (
        "instance",
        "server",
        [("expected_attrs", ["flavor", "system_metadata"])],
    ),
]


@pytest.mark.parametrize(("look_up", "kind", "more"), BY_NAME)
def test_each_name_is_asked_for_once_as_the_user(nova, look_up, kind, more):
    names = (SERVER, OTHER)
    for name in (*names, *names):
        getattr(nova.find, look_up)(name)
    assert nova.asked == [(kind, WHO, name, *more) for name in names]


ABSENT = exception.VolumeNotFound(volume_id="x")
#: A look-up, its argument, responses of the services, exception and text.
RAISES = [
    (
        *("port", "a", {"port": {"port": {"id": "a"}}}),
        *(LookupFailed, "Neutron does not show the vnic type of a port$"),
    ),
    (
        *("port", "a", {"port": {"port": ["a"]}}),
        *(LookupFailed, "the answer about a port is not an object$"),
    ),
    # Nova refuses it.
    ("boot_image", disks(LOCAL), {}, NotFound, "Block Device Mapping is "),
    *(
        ("boot_image", body, {"volume": answer}, kind, text)
        for body, answer, kind, text in (
            (disks(ROOT), ABSENT, NotShown, "the volume is not there: "),
            (LEGACY, ABSENT, NotShown, "the volume is not there: "),
            (
                disks(ROOT),
                {"id": VOLUME, "volume_image_metadata": {"min_ram": "x"}},
                NotShown,
                "invalid literal for int",
            ),
            (disks(ROOT), OSError("x"), LookupFailed, "volume: OSError: "),
        )
    ),
    # A reference that is not a URL does not name a flavor.
    ("boot_flavor", "http://[", {}, NotFound, "Invalid IPv6 URL"),
    # Nova does not find the server for this user, or cannot read it.
    *(
        ("server", SERVER, {"server": instance(**fields)}, NotFound, text)
        for fields, text in (
            ({"project_id": "p2"}, "the server is not there$"),
            (
                {"system_metadata": {"image_hw_cpu_sockets": "x"}},
                "invalid literal for int.*'x'$",
            ),
            (
                {"system_metadata": {"image_hw_numa_cpus.0": "0-"}},
                "Invalid range expression '0-'$",
            ),
        )
    ),
    *(
        (
            look_up,
            of,
            {kind: exception.NotFound("gone")},
            NotFound,
            f"the {kind} is not there: gone",
        )
        for look_up, kind, of in (
            *((look_up, kind, GONE) for look_up, kind, _ in BY_NAME),
            ("recorded_image", "record", Server(SERVER)),
            ("kept_devices", "devices", Server(SERVER)),
            ("own_image", "devices", Server(SERVER)),
            ("host", "host", SERVER),
        )
    ),
]


@pytest.mark.parametrize(("look_up", "of", "answers", "kind", "text"), RAISES)
def test_a_look_up_that_fails(nova, look_up, of, answers, kind, text):
    nova.answers |= answers
    with pytest.raises(kind, match=f"^{text}"):
        getattr(nova.find, look_up)(of)


@pytest.mark.parametrize(
    ("record", "bus"),
    [
        (
            objects.ImageMeta.from_dict(
                {"id": IMAGE, "properties": {"hw_disk_bus": "scsi"}}
            ),
            "scsi",
        ),
        # the stored image
        (None, "virtio"),
    ],
)
def test_a_resize_uses_the_record_of_the_boot(nova, record, bus):
    metadata = {"image_hw_disk_bus": "virtio"}
    server = instance(uuid=SERVER, system_metadata=metadata)
    nova.answers |= {"record": record, "server": server}
    result = nova.find.recorded_image(nova.find.server(SERVER))
    assert result == Image({"hw_disk_bus": bus}, holder=STORED)
    assert nova.asked[-1] == ("record", WHO, server)


def test_each_field_of_an_image():
    shown = {**SHOWN, "disk_format": "raw"}
    holder = Holder(IMAGE, "p1", "raw")
    assert nova_images.read(shown) == Image(shown, "raw", holder=holder)
    assert nova_images.read({}) == Image({}, None, holder=Holder())


def test_glance_is_asked_as_the_user_by_novas_client(monkeypatch):
    client = mock.Mock()
    client.return_value.call.side_effect = [
        (None, SHOWN),
        nova_images.glanceclient.exc.HTTPForbidden,
    ]
    monkeypatch.setattr(nova_images.glance, "GlanceClientWrapper", client)
    assert nova_images.get(WHO, IMAGE) == SHOWN
    client.return_value.call.assert_called_once_with(
        *(WHO, 2, "get", "http_client"), args=(f"/v2/images/{IMAGE}",)
    )
    # The error names an image that Glance does not show.
    with pytest.raises(exception.ImageNotFound, match=IMAGE):
        nova_images.get(WHO, IMAGE)


def test_each_server_has_a_record_devices_and_a_host_of_its_own(
    nova, monkeypatch
):
    monkeypatch.setattr(
        nova_lookup.driver, "get_block_device_info", lambda _, rows: rows
    )
    monkeypatch.setattr(
        nova_lookup.request_spec, "image_of", lambda result, _: result
    )
    for look_up, kind, who in (
        ("recorded_image", "record", [WHO]),
        ("_block_device_info", "devices", [WHO]),
        ("host", "host", []),
    ):
        for name in (SERVER, OTHER, SERVER):
            asked = name if look_up == "host" else Server(name)
            result = getattr(nova.find, look_up)(asked)
            assert result["id"].uuid == name
        asked = [each[:-1] for each in nova.asked if each[0] == kind]
        assert asked == [(kind, *who)] * 2


def test_a_worker_has_novas_own_clients(monkeypatch):
    for module in (cinder, neutron, compute):
        monkeypatch.setattr(module, "API", mock.Mock(return_value=module))
    services = Services()
    result = (services.volumes, services.ports, services.servers)
    assert result == (cinder, neutron, compute)


def on_volume(nova, info):
    """Return a server on a volume.

    :param info: connection_info of the volume
    """
    fields = {"volume_id": VOLUME, "boot_index": 0, "connection_info": info}
    root = device(1, **{**ATTACHED, **fields})
    nova.answers |= {
        "devices": objects.BlockDeviceMappingList(objects=[root]),
        "server": instance(uuid=SERVER, image_ref="", system_metadata={}),
    }
    return nova.find.server(SERVER)


OF_A_VOLUME = ("volume", WHO, VOLUME)


@pytest.mark.parametrize(
    ("info", "expected", "asked"),
    [
        ('{"driver_volume_type": "iscsi"}', OF_VOLUME, [OF_A_VOLUME]),
        # Nova does not look up a volume without connection_info.
        (None, Image({}, None, ON_A_VOLUME), []),
    ],
    ids=["attached", "not attached"],
)
def test_the_image_of_a_server_on_a_volume(nova, info, expected, asked):
    assert nova.find.own_image(on_volume(nova, info)) == expected
    assert [each for each in nova.asked if each[0] == "volume"] == asked


def test_an_exemption_applies_to_the_image_of_the_volume(nova):
    on_volume(nova, None)
    exempted = SimpleNamespace(image_projects={"p1"})
    subject = Subject("attach", project="p1", server=SERVER)
    expected = replace(subject, image=IMAGE)
    assert nova.find.with_image(exempted, subject) == expected
    assert nova.asked[-1] == OF_A_VOLUME


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(SHOWN, OF_IMAGE), (exception.ImageNotFound(image_id=IMAGE), None)],
    ids=["image", "gone"],
)
def test_the_image_of_a_server(nova, answer, expected):
    nova.answers["image"] = answer
    assert nova.find.own_image(Server(SERVER, image=IMAGE)) == expected
    assert nova.asked == [("image", WHO, IMAGE)]
