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
    Flavor,
    Image,
    LookupFailed,
    NotFound,
    NotShown,
    Server,
)
from nova_vhard.request.nova_api import ServerReader
from tests.functional.nova import (
    helpers,  # noqa: F401 - registers objects
)
from tests.functional.nova.test_servers_read import VOLUME as IN_CINDER
from tests.functional.nova.test_servers_read import device

WHO = RequestContext("u", "p", project_domain_id="d", roles=[], is_admin=False)


#: As Nova's client of Glance raises it of an image that is not shared.
HIDDEN = exception.ImageNotFound("hidden")
HIDDEN.__cause__ = nova_images.glanceclient.exc.HTTPNotFound()


def with_ports(neutron):
    """Return Nova's own API without its message bus, and a Neutron."""
    servers = compute.API.__new__(compute.API)
    return SimpleNamespace(ports=neutron, servers=servers)


SERVER, IMAGE, VOLUME, SNAPSHOT = (
    str(uuid.UUID(int=9000 + number)) for number in range(4)
)


class Neutron:
    """Neutron, and what it is asked for."""

    def __init__(self, fails=None):
        self.asked = []
        self._fails = fails or {}

    def show_port(self, _context, port_id):
        self.asked.append(port_id)
        if port_id in self._fails:
            raise self._fails[port_id]
        return {"port": {"id": port_id, "binding:vnic_type": "direct"}}


class Lookups(NovaLookups):
    """Look-ups of which the flavor and the image are known."""

    def boot_flavor(self, reference):
        return Flavor()

    def boot_image(self, server):
        return Image()


def boot(neutron, ports):
    """Read a boot with networks of these ports."""
    find = Lookups(with_ports(neutron), None)
    networks = [{"port": port} for port in ports]
    body = {"server": {"networks": networks}}
    return ServerReader(find, WHO).boot(body)


def names(count):
    return [str(uuid.UUID(int=number)) for number in range(count)]


def test_a_port_is_asked_for_once():
    neutron = Neutron()
    request = boot(neutron, names(1) * 2250)
    assert neutron.asked == names(1)
    assert request.hardware.passthrough


def test_there_is_an_end_to_what_is_asked_for():
    neutron = Neutron()
    with pytest.raises(NotFound):
        boot(neutron, names(2250))
    assert neutron.asked == names(MOST)


@pytest.mark.parametrize(
    "error",
    [
        exception.PortNotFound(port_id="x"),
        exception.NeutronAdminCredentialConfigurationInvalid(),
        OSError("cut off"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_nothing_is_asked_for_after_the_first_that_fails(error):
    neutron = Neutron({names(3)[2]: error})
    with pytest.raises(NotFound):
        boot(neutron, names(2250))
    assert neutron.asked == names(3)


def test_what_failed_is_not_asked_for_again():
    find = Lookups(with_ports(Neutron({"a": OSError(), "b": OSError()})), None)
    for port in ("a", "a", "b"):
        with pytest.raises(LookupFailed):
            find.port(port)
    assert find._services.ports.asked == ["a"]


@pytest.mark.parametrize("name", ["http://x/y", "", None, 7, ["a"], "a/b"])
def test_an_address_is_nobodys_to_open(name):
    neutron = Neutron()
    find = Lookups(with_ports(neutron), None)
    for look_up in (find.port, find.image, find.volume, find.volume_snapshot):
        with pytest.raises(NotFound):
            look_up(name)
    assert not neutron.asked


def test_what_the_operator_reads_of_too_many():
    find = Lookups(with_ports(Neutron()), None)
    *few, one_more = names(MOST + 1)
    for port in few:
        find.port(port)
    with pytest.raises(LookupFailed) as error:
        find.port(one_more)
    assert str(error.value) == f"more than {MOST} objects are referred to"
    # what was looked up before is known all the same
    assert find.port(few[0])["id"] == few[0]


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
def test_what_the_operator_reads_of_a_failure(error, kind, text):
    find = Lookups(with_ports(Neutron({"a": error})), None)
    with pytest.raises(kind) as raised:
        find.port("a")
    assert type(raised.value) is kind
    assert str(raised.value) == text


def test_a_port_that_does_not_show_its_kind():
    ports = SimpleNamespace(show_port=lambda *_: {"port": {"id": "a"}})
    find = Lookups(SimpleNamespace(ports=ports), None)
    with pytest.raises(LookupFailed) as raised:
        find.port("a")
    assert str(raised.value) == "a port does not show its vnic type"


def test_an_answer_that_is_no_object():
    ports = SimpleNamespace(show_port=lambda *_: {"port": ["a"]})
    find = Lookups(SimpleNamespace(ports=ports), None)
    with pytest.raises(LookupFailed) as raised:
        find.port("a")
    assert str(raised.value) == "the answer about a port is not an object"


def test_what_is_asked_for_by_no_name():
    find = Lookups(with_ports(Neutron()), None)
    with pytest.raises(NotFound) as raised:
        find.port("a/b")
    assert str(raised.value) == "no port has such an id"
    with pytest.raises(NotFound) as raised:
        find.instance("a")
    assert str(raised.value) == "no server has such an id"


ROOT = {
    "source_type": "volume",
    "destination_type": "volume",
    "boot_index": 0,
    "uuid": VOLUME,
}


LOCAL = {
    "source_type": "image",
    "destination_type": "local",
    "boot_index": 0,
    "uuid": IMAGE,
}


COPIED = {**LOCAL, "destination_type": "volume", "volume_size": 1}


@pytest.mark.parametrize(
    "body",
    [
        {"imageRef": IMAGE, "block_device_mapping_v2": [LOCAL]},
        {"block_device_mapping_v2": [COPIED]},
    ],
    ids=["too", "volume"],
)
def test_an_image_that_is_a_block_device(monkeypatch, body):
    asked = []

    def get(who, name):
        asked.append((who, name))
        return {"id": name, "hw_disk_bus": "ide"}

    monkeypatch.setattr(nova_images, "get", get)
    find = NovaLookups(SimpleNamespace(), WHO)
    root = find.boot_image(body)
    shown = {"id": IMAGE, "hw_disk_bus": "ide"}
    assert root == Image(shown, holder=Holder(IMAGE))
    assert asked == [(WHO, IMAGE)]


def test_a_local_disk_without_an_image_is_novas_to_refuse():
    find = NovaLookups(SimpleNamespace(), WHO)
    with pytest.raises(exception.InvalidBDMFormat):
        find.boot_image({"block_device_mapping_v2": [LOCAL]})


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


@pytest.mark.parametrize(
    ("root", "asked"),
    [
        (ROOT, [VOLUME]),
        (
            {**ROOT, "source_type": "snapshot", "uuid": SNAPSHOT},
            [SNAPSHOT, VOLUME],
        ),
    ],
)
def test_the_metadata_of_a_volume(root, asked):
    cinder = Cinder()
    find = NovaLookups(SimpleNamespace(volumes=cinder), WHO)
    result = find.boot_image({"block_device_mapping_v2": [root]})
    assert result == Image(
        {"hw_disk_bus": "ide"},
        None,
        ON_A_VOLUME,
        Holder(VOLUME, "p1", made_of=IMAGE),
    )
    assert cinder.asked == [(WHO, name) for name in asked]


@pytest.mark.parametrize("legacy", [False, True])
def test_a_volume_that_is_not_there(legacy):
    cinder = SimpleNamespace(get=raising(exception.VolumeNotFound))
    find = NovaLookups(SimpleNamespace(volumes=cinder), WHO)
    old = {"device_name": "vda", "volume_id": VOLUME}
    body = (
        {"block_device_mapping": [old]}
        if legacy
        else {"block_device_mapping_v2": [ROOT]}
    )
    with pytest.raises(NotFound) as raised:
        find.boot_image(body)
    assert str(raised.value).startswith("the volume is not there: ")


def raising(kind):
    """Return a look-up that raises one of Nova's errors."""

    def look_up(_who, name):
        raise kind(volume_id=name)

    return look_up


@pytest.fixture
def server(monkeypatch):
    """Give look-ups of a server, and what Nova has recorded of its boot."""
    kept = objects.Instance(
        uuid=SERVER,
        project_id=WHO.project_id,
        image_ref=IMAGE,
        vm_state="active",
        config_drive="",
        launched_at=None,
        flavor=objects.Flavor(name="f", flavorid="1"),
        system_metadata={"image_hw_disk_bus": "virtio"},
    )
    services = SimpleNamespace(get=lambda *_, **__: kept)
    records = {}

    def record(who, name):
        assert who is WHO
        if name not in records:
            raise exception.RequestSpecNotFound(instance_uuid=name)
        return records[name]

    monkeypatch.setattr(objects.RequestSpec, "get_by_instance_uuid", record)
    return NovaLookups(SimpleNamespace(servers=services), WHO), records


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
def test_a_server_that_is_left_to_nova(server, field, value, text):
    """Nova answers: it cannot read the server, or the user may not."""
    find, _ = server
    setattr(find.instance(SERVER), field, value)
    with pytest.raises(NotFound) as raised:
        find.server(SERVER)
    assert str(raised.value) == text


def test_a_resize_goes_by_the_record_of_the_boot(server):
    find, records = server
    meta = {"id": IMAGE, "properties": {"hw_disk_bus": "scsi"}}
    records[SERVER] = objects.RequestSpec(
        image=objects.ImageMeta.from_dict(meta)
    )
    result = find.recorded_image(find.server(SERVER))
    assert result == Image({"hw_disk_bus": "scsi"}, holder=STORED)


def test_without_a_record_it_goes_by_the_stored_image(server):
    find, _ = server
    result = find.recorded_image(find.server(SERVER))
    assert result == Image({"hw_disk_bus": "virtio"}, holder=STORED)


def test_the_host_of_a_server(server, monkeypatch):
    find, _ = server
    node = objects.ComputeNode(uuid=SERVER)
    asked = []
    monkeypatch.setattr(
        nova_servers, "host", lambda of: asked.append(of) or node
    )
    assert find.host(SERVER) is node
    assert find.host(SERVER) is node
    assert asked == [find.instance(SERVER)]


class Everything:
    """Whatever Nova's gate asks, and what it has been asked."""

    def __init__(self, monkeypatch, error=None):
        self.asked = []
        self._error = error
        places = {
            (objects.Flavor, "get_by_flavor_id"): "flavor",
            (nova_images, "get"): "image",
            (nova_servers, "recorded"): "record",
            (nova_servers, "block_devices"): "devices",
            (nova_servers, "host"): "host",
        }
        for (owner, name), kind in places.items():
            monkeypatch.setattr(owner, name, self._of(kind))
        services = SimpleNamespace(
            volumes=SimpleNamespace(
                get=self._of("volume"), get_snapshot=self._of("snapshot")
            ),
            ports=SimpleNamespace(show_port=self._of("port")),
            servers=SimpleNamespace(get=self._server),
        )
        self.find = NovaLookups(services, WHO)

    def _of(self, kind):
        def ask(*arguments, **more):
            self.asked.append((kind, *arguments, *more.items()))
            if self._error:
                raise self._error
            shown = {"id": arguments[-1], "binding:vnic_type": "normal"}
            return {**shown, "port": shown}

        return ask

    def _server(self, *arguments, **more):
        if arguments[-1] == GONE:
            self._of("server")(*arguments, **more)
        return objects.Instance(uuid=arguments[-1], project_id=WHO.project_id)


def test_each_field_of_an_image():
    fields = {"id": IMAGE, "owner": "p1", "disk_format": "raw"}
    shown = {**fields, "hw_disk_bus": "ide"}
    assert nova_images.read(shown) == Image(
        shown, "raw", holder=Holder(IMAGE, "p1", "raw")
    )
    assert nova_images.read({}) == Image({}, None, holder=Holder())


def test_glance_is_asked_as_the_user_by_novas_client(monkeypatch):
    asked = []
    shown = {"id": IMAGE, "owner": "p1", "hw_disk_bus": "ide"}

    class Client:
        def call(self, *arguments, **more):
            asked.append((arguments, more))
            return None, shown

    monkeypatch.setattr(nova_images.glance, "GlanceClientWrapper", Client)
    assert nova_images.get(WHO, IMAGE) == shown
    url = f"/v2/images/{IMAGE}"
    assert asked == [((WHO, 2, "get", "http_client"), {"args": (url,)})]


def test_an_image_is_read_again_after_some_seconds(monkeypatch):
    asked, recent = [], {}
    clock = SimpleNamespace()
    monkeypatch.setattr(nova_lookup, "time", clock)
    monkeypatch.setattr(
        nova_images,
        "get",
        lambda _who, name: asked.append(clock.monotonic()) or {"id": name},
    )
    for now in (0, RECENT - 1, RECENT, RECENT + 1):
        clock.monotonic = lambda now=now: now
        find = NovaLookups(SimpleNamespace(), WHO, recent)
        find.image(IMAGE)
    assert asked == [0, RECENT]
    # another request has found too many of them
    recent.clear()
    find.forget_recent()
    find.image(IMAGE)
    assert asked == [0, RECENT, RECENT + 1]


def test_an_image_that_glance_does_not_show_is_named(monkeypatch):
    class Client:
        def call(self, *_arguments, **_more):
            raise nova_images.glanceclient.exc.HTTPForbidden

    monkeypatch.setattr(nova_images.glance, "GlanceClientWrapper", Client)
    with pytest.raises(exception.ImageNotFound, match=IMAGE):
        nova_images.get(WHO, IMAGE)


GONE = str(uuid.UUID(int=9999))
OTHER = str(uuid.UUID(int=9100))
ATTRIBUTES = ("expected_attrs", ["flavor", "system_metadata"])


@pytest.mark.parametrize(
    ("look_up", "kind", "more"),
    [
        ("nova_flavor", "flavor", [("read_deleted", "no")]),
        ("image", "image", []),
        ("volume", "volume", []),
        ("volume_snapshot", "snapshot", []),
        ("port", "port", []),
        ("instance", "server", [ATTRIBUTES]),
    ],
)
class TestByName:
    """Objects that are looked up by name, as the user."""

    def test_each_name_is_asked_for_once(
        self, look_up, kind, more, monkeypatch
    ):
        every = Everything(monkeypatch)
        for name in (SERVER, OTHER, GONE, GONE):
            getattr(every.find, look_up)(name)
        expected = [(kind, WHO, name, *more) for name in (SERVER, OTHER, GONE)]
        if look_up == "instance":
            expected = expected[-1:]
        assert every.asked == expected

    def test_what_is_not_there_is_named(
        self, look_up, kind, more, monkeypatch
    ):
        every = Everything(monkeypatch, exception.NotFound("gone"))
        with pytest.raises(NotFound) as raised:
            getattr(every.find, look_up)(GONE)
        assert str(raised.value) == f"the {kind} is not there: gone"


def test_each_server_has_a_record_devices_and_a_host_of_its_own(monkeypatch):
    every = Everything(monkeypatch)
    monkeypatch.setattr(
        nova_lookup.driver, "get_block_device_info", lambda _, rows: rows
    )
    monkeypatch.setattr(
        nova_lookup.request_spec, "image_of", lambda result, _: result
    )
    for look_up, kind, with_context in (
        ("recorded_image", "record", True),
        ("_block_device_info", "devices", True),
        ("host", "host", False),
    ):
        for name in (SERVER, OTHER, SERVER):
            asked = name if look_up == "host" else Server(name)
            result = getattr(every.find, look_up)(asked)
            assert result["id"].uuid == name
        context = (WHO,) if with_context else ()
        asked = [entry[:-1] for entry in every.asked]
        assert asked == [(kind, *context)] * 2
        every.asked.clear()


@pytest.mark.parametrize(
    ("look_up", "kind"),
    [
        ("recorded_image", "record"),
        ("kept_devices", "devices"),
        ("own_image", "devices"),
        ("host", "host"),
    ],
)
def test_what_is_not_there_of_a_server_is_named(look_up, kind, monkeypatch):
    every = Everything(monkeypatch, exception.NotFound("gone"))
    with pytest.raises(NotFound) as raised:
        getattr(every.find, look_up)(
            SERVER if look_up == "host" else Server(SERVER)
        )
    assert str(raised.value) == f"the {kind} is not there: gone"


def test_a_reference_that_is_no_address_names_no_flavor():
    find = NovaLookups(SimpleNamespace(), WHO)
    with pytest.raises(NotFound, match="Invalid IPv6 URL"):
        find.boot_flavor("http://[")


def test_metadata_of_a_volume_that_nova_cannot_read():
    odd = {"id": VOLUME, "volume_image_metadata": {"min_ram": "x"}}
    volumes = SimpleNamespace(get=lambda *_: odd)
    find = NovaLookups(SimpleNamespace(volumes=volumes), WHO)
    with pytest.raises(NotShown, match="invalid literal for int"):
        find.boot_image({"block_device_mapping_v2": [ROOT]})


def test_a_worker_has_novas_own_clients(monkeypatch):
    for module in (cinder, neutron, compute):
        name = module.__name__
        monkeypatch.setattr(module, "API", lambda name=name: name)
    services = Services()
    result = (services.volumes, services.ports, services.servers)
    assert result == (cinder.__name__, neutron.__name__, compute.__name__)


class TestOwnImage:
    """The server's own image, the source of devices in a stable rescue."""

    @pytest.fixture
    def find(self, server, monkeypatch):
        """Give look-ups of a server on a volume, and its block devices."""
        lookups, _ = server
        rows = []
        monkeypatch.setattr(
            nova_servers,
            "block_devices",
            lambda *_: objects.BlockDeviceMappingList(objects=rows),
        )
        instance = lookups.instance(SERVER)
        instance.image_ref = ""
        instance.root_device_name = "/dev/vda"
        lookups._services.volumes = Cinder()
        return lookups, rows

    def root(self, info):
        """Return the row of a volume on which the server stands."""
        volume = {**IN_CINDER, "volume_id": VOLUME}
        return device(1, **volume, boot_index=0, connection_info=info)

    def test_the_metadata_of_its_volume(self, find):
        lookups, rows = find
        rows.append(self.root('{"driver_volume_type": "iscsi"}'))
        metadata = lookups.own_image(lookups.server(SERVER))
        assert metadata == Image(
            {"hw_disk_bus": "ide"},
            None,
            ON_A_VOLUME,
            Holder(VOLUME, "p1", made_of=IMAGE),
        )

    def test_a_volume_that_is_not_attached(self, find):
        """Nova looks at none of which it does not know the connection."""
        lookups, rows = find
        rows.append(self.root(None))
        metadata = lookups.own_image(lookups.server(SERVER))
        assert metadata == Image({}, None, ON_A_VOLUME)
        assert lookups._services.volumes.asked == []

    def test_the_image_that_its_volume_was_made_of(self, find):
        """An exemption of its project is by image."""
        lookups, rows = find
        rows.append(self.root(None))
        exempted = SimpleNamespace(image_projects={"p"})
        subject = Subject("attach", project="p", server=SERVER)
        expected = replace(subject, image=IMAGE)
        assert lookups.with_image(exempted, subject) == expected
        assert lookups._services.volumes.asked == [(WHO, VOLUME)]

    def test_an_image_that_is_gone(self, server, monkeypatch):
        def get(_who, name):
            raise exception.ImageNotFound(image_id=name)

        monkeypatch.setattr(nova_images, "get", get)
        lookups, _ = server
        assert lookups.own_image(lookups.server(SERVER)) is None

    def test_the_image_that_it_was_made_of(self, server, monkeypatch):
        asked = []
        monkeypatch.setattr(
            nova_images,
            "get",
            lambda _who, name: asked.append(name) or {"id": name},
        )
        lookups, _ = server
        result = lookups.own_image(lookups.server(SERVER))
        assert asked == [IMAGE]
        assert result.holder.id == IMAGE
