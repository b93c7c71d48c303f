# SPDX-License-Identifier: Apache-2.0
"""Row 33: values that are set: 0, "", false, and invalid numbers."""

from tests.functional.bypass import ways
from tests.functional.bypass.ways import IDE, PC, Q35
from tests.functional.nova import verdicts

WATCHDOG = "<watchdog "
#: JSON for the number 0, and for another that Nova writes out as it is.
ZEROS = {"0": "0", "-0": "0", "0.0": "0.0"}
#: JSON for a boot index that Nova takes for the root's.
ROOTS = ("0", "0.0", "-0.0", '"0"', '"-0"', r'"0\n"')


def servers(flavor='"1"', image='""', index="0", volume="", more=""):
    """Return the body of a POST /servers; all but the volume is JSON."""
    root = (
        f'{{"source_type": "volume", "destination_type": "volume", '
        f'"uuid": "{volume}", "boot_index": {index}}}'
    )
    disks = f', "block_device_mapping_v2": [{root}]' if volume else ""
    return (
        f'{{"server": {{"name": "x", "networks": "none", '
        f'"flavorRef": {flavor}, "imageRef": {image}{disks}{more}}}}}'
    ).encode()


class Boots(ways.Ways):
    POLICY = "guest_devices: {watchdog_action: {allow: [disabled]}}\n"

    def setUp(self):
        super().setUp()
        self.let_it_resize()
        for name in sorted(set(ZEROS.values())):
            self.flavor(name, **{"hw:watchdog_action": "reset"})

    def boots_raw(self, device, name, **body):
        """Boot with a body that is JSON; check how that ends."""
        self.witness.texts.clear()
        response = self.call("POST", "/v2.1/servers", servers(**body))
        self.ends(response, device, names=[name])

    def test_bypass_33_boot_with_the_flavor_of_a_number(self):
        for number in ZEROS:
            image = f'"{self.image(**Q35)}"'
            body = {"flavor": number, "image": image}
            self.boots_raw(WATCHDOG, "hw:watchdog_action", **body)

    def test_bypass_33_boot_index_of_the_root(self):
        """Under a config drive, which no scheduler sees."""
        more = ', "config_drive": true'
        for index in ROOTS:
            body = {"volume": self.volume(**PC), "index": index, "more": more}
            self.boots_raw(IDE, "hw_cdrom_bus", **body)


class Values(Boots):
    def test_bypass_33_resize_to_the_flavor_of_a_number(self):
        for number in ZEROS:
            self.witness.texts.clear()
            server = self.active(self.image(**Q35))
            body = f'{{"resize": {{"flavorRef": {number}}}}}'.encode()
            self.ends(
                self.act(server, body), WATCHDOG, names=["hw:watchdog_action"]
            )


TestGuarded, TestAsked = ways.asked(Values, ways.Asked)
(TestFilterAlone,) = ways.cases(Boots, verdicts.VerdictCase, ways.FilterAlone)
