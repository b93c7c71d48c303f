# SPDX-License-Identifier: Apache-2.0
"""Copies of images and flavors: what they serve for, and what sees through."""

import itertools
from types import SimpleNamespace

import pytest
from nova.tests.fixtures import PROJECT_ID

from nova_vhard.catalogue.devices import OF_FILE
from nova_vhard.gates import nova_cache
from nova_vhard.policy.hardware import Holder
from nova_vhard.request.lookups import Flavor, Image, NotFound
from tests.functional.nova import base, helpers
from tests.functional.nova import test_signatures as signatures
from tests.unit.helpers import policy

WHO = SimpleNamespace(project_id="p1", user_id="u1")
SERVER = {"name": "a", "imageRef": "i", "flavorRef": "1", "networks": "none"}


class Services:
    """What is looked up, and how often."""

    def __init__(self, value):
        self.value, self.asked = value, []

    def image(self, name):
        self.asked.append(name)
        if self.value is None:
            raise NotFound("gone")
        return self.value

    flavor = image


RULES = policy(guest_devices={"disk_bus": {"allow": ["virtio"]}})


def may_serve(body, rules=RULES):
    return nova_cache.may_be_used(rules, body)


def kept(value):
    """Return whether a second look-up is served by a copy."""
    cache, services = nova_cache.LookupCache(10), Services(value)
    for _ in range(2):
        assert cache.get(WHO, "i", services.image) is value
    return len(services.asked) == 1


@pytest.mark.parametrize(
    "value",
    [
        Image({"hw_disk_bus": "virtio"}, "raw", holder=Holder("i", "p1")),
        Image(),
        Flavor("m1", "1", {"hw:cpu_policy": "shared"}),
    ],
)
def test_kept(value):
    assert kept(value)


@pytest.mark.parametrize(
    "value",
    [
        Image({"block_device_mapping": "[]"}),
        Image({"mappings": "[]"}),
        Image({"img_block_device_mapping": []}),
        Image({"bdm_v2": "true"}),
        Image({"img_config_drive": "optional"}),
        Image({"base_image_ref": "00000000-0000-0000-0000-000000000000"}),
        Image(disk_format="iso"),
        Image({"x": "x" * nova_cache.MAX_ENTRY}),
        Flavor("m1", "1", {"x": "x" * nova_cache.MAX_ENTRY}),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_read_anew_each_time(value):
    assert not kept(value)


def test_each_user_project_and_kind_has_its_own():
    cache = nova_cache.LookupCache(10)
    users = itertools.product(("p1", "p2"), ("u1", "u2"))
    for number, (project, user) in enumerate(users, 1):
        who = SimpleNamespace(project_id=project, user_id=user)
        for value in (Image({"n": str(number)}), Flavor(str(number))):
            services = Services(value)
            image = isinstance(value, Image)
            look_up = services.image if image else flavor_of(services)
            assert cache.get(who, "1", look_up) == value


def flavor_of(services):
    def flavor(name):
        return services.image(name)

    return flavor


def test_what_is_not_there_is_asked_for_again():
    cache, services = nova_cache.LookupCache(10), Services(None)
    for _ in range(2):
        with pytest.raises(NotFound):
            cache.get(WHO, "i", services.image)
    assert services.asked == ["i", "i"]


def test_a_copy_ends():
    seconds = [0.0]
    cache = nova_cache.LookupCache(10, lambda: seconds[-1])
    services = Services(Image())
    for now, asked in ((0, 1), (9.9, 1), (10, 2), (19, 2), (21, 3)):
        seconds.append(now)
        cache.get(WHO, "i", services.image)
        assert len(services.asked) == asked


def test_all_entries_together_are_bounded():
    cache = nova_cache.LookupCache(10)
    value = Image({"x": "x" * (nova_cache.MAX_ENTRY // 2)})
    services = Services(value)
    for number in range(2 * nova_cache.MAX_SIZE // len(repr(value))):
        cache.get(WHO, str(number), services.image)
    assert cache._entries.currsize <= nova_cache.MAX_SIZE
    # the first ones made room
    cache.get(WHO, "0", services.image)
    assert services.asked.count("0") == 2


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"networks": "auto"},
        {"networks": [{"uuid": "n", "fixed_ip": "192.0.2.1", "tag": "t"}]},
        {"config_drive": False, "availability_zone": "nova"},
        {"config_drive": "", "min_count": 2, "tags": ["a"]},
        {"OS-DCF:diskConfig": "AUTO", "personality": []},
    ],
)
def test_may_be_used(more):
    assert may_serve({"server": {**SERVER, **more}})


@pytest.mark.parametrize(
    "more",
    [
        {"block_device_mapping_v2": []},
        {"block_device_mapping": [{"volume_id": "v"}]},
        {"config_drive": True},
        {"config_drive": "1"},
        {"config_drive": "yes"},
        {"availability_zone": "nova:host1"},
        {"availability_zone": "nova:host1:node1"},
        {"networks": [{"uuid": "n"}, {"port": "p"}]},
        {"networks": [{"port": None}]},
        {"host": "host1"},
        {"hypervisor_hostname": "host1"},
        {"trusted_image_certificates": ["c"]},
        {"some_day": "anything"},
    ],
)
def test_may_not_be_used(more):
    assert not may_serve({"server": {**SERVER, **more}})


@pytest.mark.parametrize("name", ["os:scheduler_hints", "some_day"])
def test_what_stands_beside_a_server_may_pass_the_filters_by(name):
    body = {"server": SERVER, name: {"_nova_check_type": ["rebuild"]}}
    assert not may_serve(body)


@pytest.mark.parametrize("body", [None, [], {}, {"server": None}, "x"])
def test_no_body_of_a_server(body):
    assert not may_serve(body)


@pytest.mark.parametrize("kind", OF_FILE)
def test_what_file_a_guest_is_of_the_scheduler_does_not_see(kind):
    rules = policy(guest_devices={kind: {"allow": ["*"]}})
    assert not may_serve({"server": SERVER}, rules)


MAPPING = [
    {
        "source_type": "blank",
        "destination_type": "local",
        "disk_bus": "ide",
        "boot_index": -1,
    }
]


EXEMPTION = f"""\
exemptions:
  - id: old
    reason: from before there were rules
    projects: [{PROJECT_ID}]
    until: 2099-12-31
    rules: {{guest_devices.disk_bus: [ide]}}
"""


class Changed:
    """An image, or a flavor, that is changed between two boots."""

    def setUp(self):
        super().setUp()
        self.disk = self.image(**helpers.CLEAN)

    def change(self, **properties):
        self.glance.images[self.disk]["properties"].update(properties)

    def change_flavor(self, **specs):
        path = "/v2.1/flavors/1/os-extra_specs"
        body = {"extra_specs": specs}
        response = self.call("POST", path, body, roles=helpers.ADMIN)
        assert response.status_int == 200, response.text
        self.addCleanup(
            lambda: [
                self.call("DELETE", f"{path}/{name}", roles=helpers.ADMIN)
                for name in specs
            ]
        )


class TestCopiesServe(Changed, base.FakeDriverCase):
    ONE_CLOUD = True

    def refused_by_the_scheduler(self, reason):
        response = self.boot(self.disk)
        assert response.status_int == 202, response.text
        text = self.fault(response.json["server"]["id"])
        assert reason in text

    def test_an_image_that_was_changed(self):
        self.active(self.disk)
        self.change(hw_disk_bus="ide")
        self.refused_by_the_scheduler("hw_disk_bus=ide")

    def test_an_image_that_has_block_devices_since(self):
        """They are judged by nobody but these two gates."""
        self.active(self.disk)
        self.change(bdm_v2="true", block_device_mapping=MAPPING)
        reason = "img_block_device_mapping[0].disk_bus=ide"
        self.refused_by_the_scheduler(reason)

    def test_a_flavor_that_was_changed(self):
        self.active(self.disk)
        self.change_flavor(**{"hw:viommu_model": "intel"})
        self.refused_by_the_scheduler("hw:viommu_model=intel")

    def test_an_image_that_was_mended(self):
        """A copy refuses nobody."""
        image = self.image(hw_disk_bus="ide")
        assert self.boot(image).status_int == 403
        self.glance.images[image]["properties"]["hw_disk_bus"] = "virtio"
        self.active(image)

    def test_an_image_that_a_new_policy_refuses_and_was_mended(self):
        self.active(self.disk)
        self.write_policy("guest_devices: {vif_model: {allow: [e1000]}}\n")
        self.addCleanup(self.write_policy, "")
        events = self.decisions()
        assert self.boot(self.disk).status_int == 403
        assert [event["outcome"] for event in events] == ["refuse"]
        self.change(hw_vif_model="e1000")
        self.active(self.disk)

    def said_of_what_was_mended(self):
        """Return the outcomes of the events of a boot."""
        image = self.image(hw_disk_bus="ide")
        self.active(image)
        self.glance.images[image]["properties"]["hw_disk_bus"] = "virtio"
        events = self.decisions()
        self.active(image)
        return [(event["outcome"], event["exemptions"]) for event in events]

    def test_of_an_image_that_was_mended_nothing_is_said(self):
        for text in ("mode: warn\n", EXEMPTION):
            self.write_policy(text)
            self.addCleanup(self.write_policy, "")
            assert self.said_of_what_was_mended() == [("allow", [])] * 2

    def test_a_request_that_says_more_is_judged_by_what_is_there(self):
        self.active(self.disk)
        self.change(hw_disk_bus="ide")
        root = {
            "boot_index": 0,
            "uuid": self.disk,
            "source_type": "image",
            "destination_type": "local",
        }
        for more in (
            {"config_drive": True},
            {"block_device_mapping_v2": [root]},
        ):
            response = self.boot(self.disk, **more)
            assert response.status_int == 403, response.text

    def test_scheduler_hints_are_no_way_round(self):
        self.active(self.disk)
        self.change(hw_disk_bus="ide")
        body = self.wish(self.disk)
        body["os:scheduler_hints"] = {"group": None, "x": "y"}
        body["os:scheduler_hints"].pop("group")
        response = self.call("POST", "/v2.1/servers", body)
        assert response.status_int == 403, response.text

    def test_another_project_is_judged_by_what_is_there(self):
        self.active(self.disk)
        self.change(hw_disk_bus="ide")
        response = self.call(
            "POST", "/v2.1/servers", self.wish(self.disk), project="other"
        )
        assert response.status_int == 403, response.text


class TestFiles(Changed, base.FakeDriverCase):
    """An image that was signed, and another file in its place since."""

    POLICY = signatures.TestSigned.POLICY

    def test_a_root_disk_that_an_image_has_since(self):
        volume = self.volume()
        root = self.disk_of(volume)
        for properties in (
            {"bdm_v2": "true", "block_device_mapping": [root]},
            {
                "block_device_mapping": [
                    {"volume_id": volume, "device_name": "vda"}
                ]
            },
        ):
            image = self.image(**helpers.CLEAN, **signatures.SIGNED)
            self.active(image)
            self.glance.images[image]["properties"].update(properties)
            response = self.boot(image)
            assert response.status_int == 403, response.text
            assert signatures.MISSING in response.text

    @staticmethod
    def disk_of(volume):
        return {
            "boot_index": 0,
            "volume_id": volume,
            "source_type": "volume",
            "destination_type": "volume",
        }


class TestNoCopies(Changed, base.FakeDriverCase):
    """The option says none."""

    def _configure(self):
        super()._configure()
        self.flags(lookup_ttl=0, group="vhard")

    def test_an_image_that_was_changed(self):
        self.active(self.disk)
        self.change(hw_disk_bus="ide")
        response = self.boot(self.disk)
        assert response.status_int == 403, response.text


class TestNoSchedulersGate(Changed, base.FakeDriverCase):
    """Nobody would judge again what a copy has judged."""

    FILTER = None

    def test_an_image_that_was_changed(self):
        self.active(self.disk)
        self.change(hw_disk_bus="ide")
        response = self.boot(self.disk)
        assert response.status_int == 403, response.text
