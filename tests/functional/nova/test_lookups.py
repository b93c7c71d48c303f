# SPDX-License-Identifier: Apache-2.0
"""Number of look-ups per request: each object once, within a limit."""

import uuid
from dataclasses import replace
from types import SimpleNamespace

import pytest
from nova import exception, objects
from nova.compute import api as compute
from nova.context import RequestContext
from nova.network import neutron
from nova.volume import cinder

from nova_vhard.gates import nova_images, nova_lookup, nova_servers
from nova_vhard.gates.nova_lookup import (
    MOST,
    RECENT,
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
from tests.functional.nova.test_servers_read import VOLUME as IN_CINDER
from tests.functional.nova.test_servers_read import device

WHO = RequestContext("u", "p", project_domain_id="d", roles=[], is_admin=False)


#: As Nova's client of Glance raises it of an image that is not shared.
HIDDEN = exception.ImageNotFound("hidden")
HIDDEN.__cause__ = nova_images.glanceclient.exc.HTTPNotFound()

SERVER, IMAGE, VOLUME, SNAPSHOT, OTHER, GONE = (
    str(uuid.UUID(int=9000 + number)) for number in range(6)
)
SHOWN = {"id": IMAGE, "owner": "p1", "hw_disk_bus": "ide"}


class Cinder:
    """Cinder with one volume and its snapshot, and who asks."""

    def __init__(self):
        self.asked = []

    def get(self, who, volume):
        self.asked.append((who, volume))
        return {
            "id": VOLUME,
            "project_id": "p1",
            "volume_image_metadata": {"hw_disk_bus": "ide", "image_id": IMAGE},
        }

    def get_snapshot(self, who, snapshot):
        self.asked.append((who, snapshot))
        return {"id": SNAPSHOT, "volume_id": VOLUME}


class Everything:
    """Everything that the look-ups ask.

    :ivar answers: by kind or name of an object: an error, or the answer
    :ivar asked: what was asked for, with all arguments
    """

    def __init__(self, patch):
        self.asked = []
        self.answers = {}
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
                answer = objects.Instance(uuid=name, project_id=WHO.project_id)
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


def test_there_is_an_end_to_what_is_asked_for(nova):
    *few, one_more = [str(number) for number in range(MOST + 1)]
    for port in [*few, *few]:
        nova.find.port(port)
    with pytest.raises(LookupFailed) as error:
        nova.find.port(one_more)
    assert str(error.value) == f"more than {MOST} objects are referred to"
    # what was looked up before is known all the same
    assert nova.find.port(few[0])["id"] == few[0]
    assert nova.names() == few


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
        assert type(raised.value) is kind
        assert str(raised.value) == text
    assert nova.names() == ["a"]


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ({"id": "a"}, "a port does not show its vnic type"),
        (["a"], "the answer about a port is not an object"),
    ],
)
def test_a_port_that_is_shown_in_part(nova, shown, text):
    nova.answers["port"] = {"port": shown}
    with pytest.raises(LookupFailed, match=f"^{text}$"):
        nova.find.port("a")


ROOT = {
    "source_type": "volume",
    "destination_type": "volume",
    "boot_index": 0,
    "uuid": VOLUME,
}
ON_SNAPSHOT = {**ROOT, "source_type": "snapshot", "uuid": SNAPSHOT}
LOCAL = {
    **ROOT,
    "source_type": "image",
    "destination_type": "local",
    "uuid": IMAGE,
}
COPIED = {**LOCAL, "destination_type": "volume", "volume_size": 1}
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
        (disks(COPIED), OF_IMAGE, [IMAGE]),
        (disks(ROOT), OF_VOLUME, [VOLUME]),
        (disks(ON_SNAPSHOT), OF_VOLUME, [SNAPSHOT, VOLUME]),
        (LEGACY, OF_VOLUME, [VOLUME]),
    ],
    ids=["both", "copied", "volume", "snapshot", "format 1"],
)
def test_the_image_of_a_boot(nova, body, expected, asked):
    nova.answers["image"] = SHOWN
    nova.find._services.volumes = cinder = Cinder()
    assert nova.find.boot_image(body) == expected
    calls = [each[1:] for each in nova.asked] + cinder.asked
    assert calls == [(WHO, name) for name in asked]


ABSENT = exception.VolumeNotFound(volume_id="x")
ODD = {"id": VOLUME, "volume_image_metadata": {"min_ram": "x"}}


@pytest.mark.parametrize(
    ("body", "answer", "kind", "text"),
    [
        # Nova refuses it.
        (disks(LOCAL), None, exception.InvalidBDMFormat, None),
        (disks(ROOT), ABSENT, NotShown, "^the volume is not there: "),
        (LEGACY, ABSENT, NotShown, "^the volume is not there: "),
        (disks(ROOT), ODD, NotShown, "invalid literal for int"),
        (disks(ROOT), OSError("cut off"), LookupFailed, "^volume: OSError: "),
    ],
)
def test_no_image_of_a_boot(nova, body, answer, kind, text):
    nova.answers["volume"] = answer
    with pytest.raises(kind, match=text):
        nova.find.boot_image(body)


def test_a_reference_that_is_no_address_names_no_flavor(nova):
    with pytest.raises(NotFound, match="Invalid IPv6 URL"):
        nova.find.boot_flavor("http://[")


@pytest.fixture
def server(nova):
    """Give a server of which all look-ups find something."""
    nova.answers |= {"record": None, "image": SHOWN}
    nova.answers["server"] = objects.Instance(
        uuid=SERVER,
        project_id=WHO.project_id,
        image_ref=IMAGE,
        vm_state="active",
        config_drive="",
        launched_at=None,
        flavor=objects.Flavor(name="f", flavorid="1"),
        system_metadata={"image_hw_disk_bus": "virtio"},
    )
    return nova.answers["server"]


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("project_id", "p2", "the server is not there"),
        (
            "system_metadata",
            {"image_hw_cpu_sockets": "x"},
            "invalid literal for int() with base 10: 'x'",
        ),
    ],
)
def test_a_server_that_is_left_to_nova(nova, server, field, value, text):
    """Nova answers: it cannot read the server, or the user may not."""
    setattr(server, field, value)
    with pytest.raises(NotFound) as raised:
        nova.find.server(SERVER)
    assert str(raised.value) == text


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
def test_a_resize_goes_by_the_record_of_the_boot(nova, server, record, bus):
    nova.answers["record"] = record
    result = nova.find.recorded_image(nova.find.server(SERVER))
    assert result == Image({"hw_disk_bus": bus}, holder=STORED)
    assert nova.asked[-1] == ("record", WHO, server)


def test_each_field_of_an_image():
    shown = {**SHOWN, "disk_format": "raw"}
    holder = Holder(IMAGE, "p1", "raw")
    assert nova_images.read(shown) == Image(shown, "raw", holder=holder)
    assert nova_images.read({}) == Image({}, None, holder=Holder())


def test_glance_is_asked_as_the_user_by_novas_client(monkeypatch):
    asked = []

    class Client:
        def call(self, *arguments, **more):
            asked.append((arguments, more))
            if len(asked) > 1:
                raise nova_images.glanceclient.exc.HTTPForbidden
            return None, SHOWN

    monkeypatch.setattr(nova_images.glance, "GlanceClientWrapper", Client)
    assert nova_images.get(WHO, IMAGE) == SHOWN
    url = f"/v2/images/{IMAGE}"
    assert asked == [((WHO, 2, "get", "http_client"), {"args": (url,)})]
    # One that Glance does not show is named.
    with pytest.raises(exception.ImageNotFound, match=IMAGE):
        nova_images.get(WHO, IMAGE)


def test_an_image_is_read_again_after_some_seconds(nova, monkeypatch):
    recent, reads = {}, []
    clock = SimpleNamespace()
    monkeypatch.setattr(nova_lookup, "time", clock)
    for now in (0, RECENT - 1, RECENT, RECENT + 1):
        clock.monotonic = lambda now=now: now
        find = NovaLookups(SimpleNamespace(), WHO, recent)
        find.image(IMAGE)
        reads.append(len(nova.asked))
    assert reads == [1, 1, 2, 2]
    # another request has found too many of them
    recent.clear()
    find.forget_recent()
    find.image(IMAGE)
    assert len(nova.asked) == 3


ATTRIBUTES = ("expected_attrs", ["flavor", "system_metadata"])
BY_NAME = [
    ("nova_flavor", "flavor", [("read_deleted", "no")]),
    ("image", "image", []),
    ("volume", "volume", []),
    ("volume_snapshot", "snapshot", []),
    ("port", "port", []),
    ("instance", "server", [ATTRIBUTES]),
]


@pytest.mark.parametrize(("look_up", "kind", "more"), BY_NAME)
def test_each_name_is_asked_for_once_as_the_user(nova, look_up, kind, more):
    names = (SERVER, OTHER)
    for name in (*names, *names):
        getattr(nova.find, look_up)(name)
    assert nova.asked == [(kind, WHO, name, *more) for name in names]


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


@pytest.mark.parametrize(
    ("look_up", "kind", "asked"),
    [
        *((look_up, kind, GONE) for look_up, kind, _ in BY_NAME),
        ("recorded_image", "record", Server(SERVER)),
        ("kept_devices", "devices", Server(SERVER)),
        ("own_image", "devices", Server(SERVER)),
        ("host", "host", SERVER),
    ],
)
def test_what_is_not_there_is_named(nova, look_up, kind, asked):
    nova.answers[kind] = exception.NotFound("gone")
    with pytest.raises(NotFound, match=f"^the {kind} is not there: gone$"):
        getattr(nova.find, look_up)(asked)


def test_a_worker_has_novas_own_clients(monkeypatch):
    for module in (cinder, neutron, compute):
        name = module.__name__
        monkeypatch.setattr(module, "API", lambda name=name: name)
    services = Services()
    result = (services.volumes, services.ports, services.servers)
    assert result == (cinder.__name__, neutron.__name__, compute.__name__)


@pytest.fixture
def on_volume(nova, server):
    """Give a function: look-ups of a server on a volume, and Cinder."""
    server.image_ref, server.root_device_name = "", "/dev/vda"
    nova.find._services.volumes = Cinder()

    def found(info):
        volume = {**IN_CINDER, "volume_id": VOLUME}
        root = device(1, **volume, boot_index=0, connection_info=info)
        rows = objects.BlockDeviceMappingList(objects=[root])
        nova.answers["devices"] = rows
        return nova.find, nova.find._services.volumes

    return found


@pytest.mark.parametrize(
    ("info", "expected", "asked"),
    [
        ('{"driver_volume_type": "iscsi"}', OF_VOLUME, [(WHO, VOLUME)]),
        # Nova looks at no volume whose connection it does not know.
        (None, Image({}, None, ON_A_VOLUME), []),
    ],
    ids=["attached", "not attached"],
)
def test_the_own_image_of_a_server_on_a_volume(
    on_volume, info, expected, asked
):
    find, volumes = on_volume(info)
    assert find.own_image(find.server(SERVER)) == expected
    assert volumes.asked == asked


def test_an_exemption_is_by_the_image_that_the_volume_was_made_of(on_volume):
    find, volumes = on_volume(None)
    exempted = SimpleNamespace(image_projects={"p"})
    subject = Subject("attach", project="p", server=SERVER)
    expected = replace(subject, image=IMAGE)
    assert find.with_image(exempted, subject) == expected
    assert volumes.asked == [(WHO, VOLUME)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(SHOWN, OF_IMAGE), (exception.ImageNotFound(image_id=IMAGE), None)],
    ids=["image", "gone"],
)
def test_the_own_image_of_a_server(nova, server, answer, expected):
    nova.answers["image"] = answer
    result = nova.find.own_image(nova.find.server(SERVER))
    assert result == expected
    assert nova.asked[-1] == ("image", WHO, IMAGE)
