# SPDX-License-Identifier: Apache-2.0
"""Assumptions of the tests: Nova's record of a server.

What Nova does alone is in tests/release/bypass.
"""

from nova import utils

from tests.functional import recorded
from tests.functional.nova import base


class TestRecorded(base.LibvirtCase):
    """The tables of recorded.py match what Nova's driver records."""

    API_GATE = None
    FILTER = None

    def test_each_host(self):
        self.flags(instances=-1, cores=-1, ram=-1, group="quota")
        for host in recorded.HOSTS:
            self.flags(
                hw_machine_type=[f"x86_64={host.machine}"], group="libvirt"
            )
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
