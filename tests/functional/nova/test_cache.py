# SPDX-License-Identifier: Apache-2.0
"""Copies of flavors: what they serve for, and what sees through."""

import itertools
import uuid
from types import SimpleNamespace

import pytest
from nova.tests.fixtures import PROJECT_ID

from nova_vhard.gates import nova_cache
from nova_vhard.request.lookups import Flavor, NotFound
from tests.functional.nova import base, helpers
from tests.functional.nova import test_signatures as signatures

WHO = SimpleNamespace(project_id="p1", user_id="u1")
SERVER = {"name": "a", "imageRef": "i", "flavorRef": "1", "networks": "none"}


class Services:
    """What is looked up, and how often."""

    def __init__(self, value):
        self.value, self.asked = value, []

    def flavor(self, name):
        self.asked.append(name)
        if self.value is None:
            raise NotFound("gone")
        return self.value


def may_serve(body):
    return nova_cache.may_be_used(body)


def kept(value):
    """Return whether a second look-up is served by a copy."""
    cache, services = nova_cache.LookupCache(10), Services(value)
    for _ in range(2):
        assert cache.get(WHO, "i", services.flavor) is value
    return len(services.asked) == 1


def test_kept():
    assert kept(Flavor("m1", "1", {"hw:cpu_policy": "shared"}))


def test_a_large_one_is_read_anew_each_time():
    assert not kept(Flavor("m1", "1", {"x": "x" * nova_cache.MAX_ENTRY}))


def test_each_user_and_project_has_its_own():
    cache = nova_cache.LookupCache(10)
    users = itertools.product(("p1", "p2"), ("u1", "u2"))
    for number, (project, user) in enumerate(users, 1):
        who = SimpleNamespace(project_id=project, user_id=user)
        value = Flavor(str(number))
        assert cache.get(who, "1", Services(value).flavor) == value


def test_what_is_not_there_is_asked_for_again():
    cache, services = nova_cache.LookupCache(10), Services(None)
    for _ in range(2):
        with pytest.raises(NotFound):
            cache.get(WHO, "i", services.flavor)
    assert services.asked == ["i", "i"]


def test_a_copy_ends():
    seconds = [0.0]
    cache = nova_cache.LookupCache(10, lambda: seconds[-1])
    services = Services(Flavor())
    for now, asked in ((0, 1), (9.9, 1), (10, 2), (19, 2), (21, 3)):
        seconds.append(now)
        cache.get(WHO, "i", services.flavor)
        assert len(services.asked) == asked


def test_all_entries_together_are_bounded():
    cache = nova_cache.LookupCache(10)
    value = Flavor(extra_specs={"x": "x" * (nova_cache.MAX_ENTRY // 2)})
    services = Services(value)
    for number in range(2 * nova_cache.MAX_SIZE // len(repr(value))):
        cache.get(WHO, str(number), services.flavor)
    assert cache._entries.currsize <= nova_cache.MAX_SIZE
    # the first ones made room
    cache.get(WHO, "0", services.flavor)
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


MAPPING = [
    {
        "source_type": "blank",
        "destination_type": "local",
        "disk_bus": "ide",
        "boot_index": -1,
    }
]


PMU = "hw:pmu"
RULE = "guest_devices: {pmu: {allow: [false]}}\n"
WARN = f"mode: warn\n{RULE}"
EXEMPTION = f"""\
{RULE}
exemptions:
  - id: old
    reason: from before there were rules
    projects: [{PROJECT_ID}]
    until: 2099-12-31
    rules: {{guest_devices.pmu: [true]}}
"""


class Changed:
    """An image, or a flavor, that is changed between two boots."""

    POLICY = RULE

    def setUp(self):
        super().setUp()
        self.disk = self.image(**helpers.CLEAN)

    def change(self, **properties):
        self.glance.images[self.disk]["properties"].update(properties)

    def specs(self, flavor="1"):
        return f"/v2.1/flavors/{flavor}/os-extra_specs"

    def change_flavor(self, flavor="1"):
        body = {"extra_specs": {PMU: "true"}}
        path = self.specs(flavor)
        response = self.call("POST", path, body, roles=helpers.ADMIN)
        assert response.status_int == 200, response.text
        self.addCleanup(self.mend_flavor, flavor)

    def small_flavor(self):
        """Make a flavor that no copy is of; return its id."""
        size = {"ram": 64, "vcpus": 1, "disk": 1}
        body = {"flavor": {"name": str(uuid.uuid4()), **size}}
        made = self.call("POST", "/v2.1/flavors", body, roles=helpers.ADMIN)
        assert made.status_int == 200, made.text
        return made.json["flavor"]["id"]

    def mend_flavor(self, flavor="1"):
        path = f"{self.specs(flavor)}/{PMU}"
        self.call("DELETE", path, roles=helpers.ADMIN)

    def refused(self, **more):
        response = self.boot(self.disk, **more)
        assert response.status_int == 403, response.text
        return response


class ImageReadAnew(Changed):
    def test_an_image_that_was_changed(self):
        """Glance is asked each time: Nova reads the same answer."""
        self.active(self.disk)
        self.change(hw_disk_bus="ide")
        self.refused()

    def test_an_image_that_has_block_devices_since(self):
        self.active(self.disk)
        self.change(bdm_v2="true", block_device_mapping=MAPPING)
        self.refused()


class TestCopiesServe(ImageReadAnew, base.FakeDriverCase):
    ONE_CLOUD = True

    def test_a_flavor_that_was_changed(self):
        self.active(self.disk)
        self.change_flavor()
        response = self.boot(self.disk)
        assert response.status_int == 202, response.text
        text = self.fault(response.json["server"]["id"])
        assert f"{PMU}=true" in text

    def test_a_flavor_that_was_mended(self):
        """A copy refuses nobody."""
        flavor = self.small_flavor()
        self.change_flavor(flavor)
        self.refused(flavorRef=flavor)
        self.mend_flavor(flavor)
        self.active(self.disk, flavorRef=flavor)

    def test_a_flavor_that_a_new_policy_refuses_and_was_mended(self):
        flavor = self.small_flavor()
        self.change_flavor(flavor)
        self.addCleanup(self.write_policy, RULE)
        self.write_policy("")
        self.active(self.disk, flavorRef=flavor)
        self.write_policy(RULE)
        events = self.decisions()
        self.refused(flavorRef=flavor)
        assert [event["outcome"] for event in events] == ["refuse"]
        self.mend_flavor(flavor)
        self.active(self.disk, flavorRef=flavor)

    def said_of_what_was_mended(self):
        """Return the outcomes of the events of a boot."""
        flavor = self.small_flavor()
        self.change_flavor(flavor)
        self.active(self.disk, flavorRef=flavor)
        self.mend_flavor(flavor)
        events = self.decisions()
        self.active(self.disk, flavorRef=flavor)
        return [(event["outcome"], event["exemptions"]) for event in events]

    def test_of_a_flavor_that_was_mended_nothing_is_said(self):
        self.addCleanup(self.write_policy, RULE)
        for text in (WARN, EXEMPTION):
            self.write_policy(text)
            assert self.said_of_what_was_mended() == [("allow", [])] * 2

    def test_a_request_that_says_more_is_judged_by_what_is_there(self):
        self.active(self.disk)
        self.change_flavor()
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
            self.refused(**more)

    def test_scheduler_hints_are_no_way_round(self):
        self.active(self.disk)
        self.change_flavor()
        body = self.wish(self.disk)
        body["os:scheduler_hints"] = {"group": None, "x": "y"}
        body["os:scheduler_hints"].pop("group")
        response = self.call("POST", "/v2.1/servers", body)
        assert response.status_int == 403, response.text

    def test_another_project_is_judged_by_what_is_there(self):
        self.active(self.disk)
        self.change_flavor()
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


class ReadAnew(ImageReadAnew):
    def test_a_flavor_that_was_changed(self):
        self.active(self.disk)
        self.change_flavor()
        self.refused()


class TestNoCopies(ReadAnew, base.FakeDriverCase):
    """The option says none."""

    def _configure(self):
        super()._configure()
        self.flags(lookup_ttl=0, group="vhard")


class TestNoSchedulersGate(ReadAnew, base.FakeDriverCase):
    """Nobody would judge again what a copy has judged."""

    FILTER = None
