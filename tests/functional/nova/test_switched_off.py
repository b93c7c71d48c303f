# SPDX-License-Identifier: Apache-2.0
"""Break glass at the Nova API: all passes, and each event says so."""

from nova.tests.fixtures import PROJECT_ID

from nova_vhard.gates.nova_lookup import NovaLookups
from tests.functional.nova import base, helpers


class TestSwitchedOff(base.FakeDriverCase):
    POLICY = "enabled: false\n"

    def setUp(self):
        super().setUp()
        self.events = self.decisions()

    def test_everything_passes_and_nothing_is_looked_up(self):
        # given a gate that could look nothing up
        place = "nova_vhard.gates.nova_lookup.NovaLookups"
        for name in vars(NovaLookups):
            if not name.startswith("_"):
                self.stub_out(f"{place}.{name}", _never)
        image = self.image(**helpers.IDE)
        # when
        server = self.active(image)
        rebuilt = self.act(server, {"rebuild": {"imageRef": image}})
        self.wait(server, "ACTIVE")
        specs = self.call(
            "POST",
            "/v2.1/flavors/1/os-extra_specs",
            {"extra_specs": {"pci_passthrough:alias": "gpu:1"}},
            roles=helpers.ADMIN,
        )
        # then
        self.assertEqual(202, rebuilt.status_int, rebuilt.text)
        self.assertEqual(200, specs.status_int, specs.text)
        api, scheduler = "nova-api", "scheduler"
        self.assertEqual(
            [
                (api, "boot"),
                (scheduler, "boot"),
                (api, "rebuild"),
                (api, "flavor"),
            ],
            [(each["gate"], each["operation"]) for each in self.events],
        )
        for event in self.events:
            self.assertEqual("disabled", event["outcome"])
            self.assertEqual([], event["violations"])
            self.assertEqual(PROJECT_ID, event["subject"]["project"])
            self.assertIn("member", event["subject"]["roles"])

    def test_what_is_not_judged_has_no_event(self):
        server = self.active(self.image(**helpers.IDE))
        del self.events[:]
        answer = self.act(server, {"os-stop": None})
        self.assertEqual(202, answer.status_int)
        self.wait(server, "SHUTOFF")
        self.assertEqual([], self.events)


def _never(*arguments):
    raise AssertionError("nothing is looked up")
