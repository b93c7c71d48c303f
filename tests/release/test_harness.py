# SPDX-License-Identifier: Apache-2.0
"""The tests' own ground: where the gates sit.

What Nova does alone is in tests/release/bypass.
"""

from nova import utils
from nova.api.openstack import wsgi

from tests.functional import recorded
from tests.functional.nova import base
from tests.release import witness


class TestPlaceOfTheGate(base.FakeDriverCase):
    ONE_CLOUD = False
    API_GATE = witness.FACTORY
    FILTER = None

    def test_both_pipelines_reach_the_gate_with_a_context(self):
        for path, script in (("/v2.1", "/v2.1"), ("/v2", "/v2")):
            # given a filter in the gate's place
            witness.seen.clear()

            # when a user lists servers
            response = self.call("GET", f"{path}/servers", version=None)

            # then it has seen the request once, as its user, and knows of v2
            self.assertEqual(200, response.status_int)
            (environ,) = witness.seen
            self.assertEqual("fake", environ["nova.context"].user_id)
            self.assertEqual(script, environ["SCRIPT_NAME"])
            self.assertEqual("/servers", environ["PATH_INFO"])
            self.assertEqual(script == "/v2", wsgi.ENV_LEGACY_V2 in environ)


class TestRecorded(base.LibvirtCase):
    """The tables of recorded.py match what Nova's driver records."""

    API_GATE = None
    FILTER = None

    def test_each_host(self):
        self.flags(instances=-1, cores=-1, ram=-1, group="quota")
        for host in recorded.HOSTS:
            machine = [f"x86_64={host.machine}"]
            self.flags(hw_machine_type=machine, group="libvirt")
            self.flags(pointer_model=host.pointer)
            for name, guest in recorded.GUESTS.items():
                with self.subTest(name, host=host):
                    server = self.active(
                        self.image(**guest.properties),
                        config_drive=guest.config_drive,
                    )
                    kept = utils.get_image_from_system_metadata(
                        self.instance(server).system_metadata
                    )
                    actual = {
                        key: value
                        for key, value in kept["properties"].items()
                        if key.startswith("hw_") or key in guest.properties
                    }
                    self.assertEqual(guest.recorded(host), actual)
