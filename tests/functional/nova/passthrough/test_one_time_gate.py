# SPDX-License-Identifier: Apache-2.0
"""``passthrough.require: [one_time_use]``: each device of a request."""

import copy

from nova import exception

from nova_vhard.gates import nova_release
from tests import services
from tests.functional.nova.passthrough import base, reissue
from tests.functional.nova.passthrough.reissue import PF, VF, WHOLE, device

RULE = "passthrough.require"
NO_DEVICE = (
    "no host with room for this server has a one_time_use device for {}"
)


#: Policies that allow a device without one_time_use: outcome and rules.
LENIENT = (
    (
        reissue.POLICY.replace("require:", "mode: warn, require:"),
        "warn",
        [RULE],
    ),
    (
        reissue.POLICY.replace("require:", "mode: audit, require:"),
        "audit",
        [RULE],
    ),
    (
        reissue.POLICY + "exemptions:\n"
        "  - {id: old, reason: r, until: '2999-01-01', roles: [member],\n"
        "     rules: {passthrough.require: [one_time_use]}}\n",
        "allow",
        [],
    ),
    (reissue.POLICY.replace("[one_time_use]", "[]"), "allow", []),
)


@services.needs_nova(32, "one_time_use of PCI devices")
class TestWhole(reissue.Once):
    SPEC = (device(WHOLE), device(PF))
    HAS = {"num_pci": 2, "num_pfs": 1, "num_vfs": 0}

    def test_each_kind_that_can_be_so(self):
        events = self.decisions()
        self.assertEqual(
            base.PROVEN, self.lands_on(self.flavor_with(WHOLE, 2))
        )
        self.assertEqual(base.PROVEN, self.lands_on(self.flavor_with(PF)))
        self.assertEqual(
            ["allow", "allow"], [each["outcome"] for each in events]
        )


class TestNotSo(reissue.Once):
    SPEC = (device(WHOLE, used_once=False), device(VF, used_once=False))
    HAS = {"num_pci": 1, "num_pfs": 1, "num_vfs": 2}

    def test_refused_with_the_reason(self):
        """A device without one_time_use, a function, and a port."""
        events = self.decisions()
        port = self.port()
        for wish, words in (
            (
                {"flavor": self.flavor_with()},
                (NO_DEVICE.format(WHOLE), "one_time_use"),
            ),
            (
                {"flavor": self.flavor_with(VF)},
                ("asks for a virtual function", "cannot be one_time_use"),
            ),
            (
                {"networks": [{"port": port}]},
                (
                    f"port {port} asks for vf",
                    "Nova does not reserve used devices of ports",
                ),
            ),
        ):
            reason = self.refused(**wish)
            self.assertEqual(
                [], [each for each in words if each not in reason]
            )
            self.assertEqual([RULE], events[-1]["rules"])

    def test_a_policy_that_does_not_refuse(self):
        events = self.decisions()
        for text, outcome, rules in LENIENT:
            self.write_policy(text)
            server = self.build(self.flavor_with())
            self.wait(server, "ACTIVE")
            self.assertEqual(outcome, events[-1]["outcome"], text)
            self.assertEqual(rules, events[-1]["rules"], text)
            self.delete(server)


@services.needs_nova(32, "one_time_use of PCI devices")
class TestSome(reissue.Once):
    """One of two devices is one_time_use: Nova must not use the other."""

    SPEC = (
        device(WHOLE, used_once=False, address="0000:81:00.0"),
        device(WHOLE, address="0000:81:01.0"),
    )
    HAS = {"num_pci": 2, "num_pfs": 0, "num_vfs": 0}

    def test_the_candidates_are_narrowed(self):
        flavor = self.flavor_with()
        server = self.build(flavor)
        self.wait(server, "ACTIVE")
        self.assertIn("slot='0x01'", self.domain_xml(server))

        # the other one is free, but no guest gets it
        self.assertIn(NO_DEVICE.format(WHOLE), self.refused(flavor))

    def test_two_at_once_are_too_many(self):
        self.assertIn(
            NO_DEVICE.format(WHOLE), self.refused(self.flavor_with(count=2))
        )


@services.needs_nova(32, "one_time_use of PCI devices")
class TestNoProof(reissue.Once):
    """Facts that do not prove that Nova holds a used device back."""

    def test_each_refused(self):
        host, spec = self.at_a_boot()
        self.assertEqual([host], self.left(host, spec))
        old = nova_release.SERVICE_OF_32 - 1
        for changed in (
            {"service": {"version": old}},
            {"service": {}},
            {"pci_stats": None},
            {"allocation_candidates": []},
            {"allocation_candidates": [{"mappings": {"": [host.uuid]}}]},
        ):
            other = copy.copy(host)
            for name, value in changed.items():
                setattr(other, name, value)
            refusal = self.assertRaises(
                exception.NoValidHost, self.left, other, spec
            )
            self.assertIn("one_time_use", str(refusal), changed)

    def at_a_boot(self):
        """Return a host and a RequestSpec as Nova gives them at a boot."""
        seen = []
        real = type(self.filter).filter_all

        def keep(item, hosts, spec):
            hosts = list(hosts)
            seen.append((copy.deepcopy(hosts[0]), copy.deepcopy(spec)))
            return real(item, hosts, spec)

        self.stub_out(
            "nova_vhard.gates.scheduler.VirtHardeningFilter.filter_all", keep
        )
        self.wait(self.build(self.flavor_with()), "ACTIVE")
        return seen[0]

    def left(self, host, spec):
        """Return what the filter leaves of one host."""
        return list(self.filter.filter_all([host], spec))


@services.needs_nova(32, "one_time_use of PCI devices")
class TestForced(reissue.Once):
    """No filter is asked about a forced host; the alias's trait holds."""

    SPEC = TestSome.SPEC
    HAS = TestSome.HAS
    ALIAS = {"traits": "HW_PCI_ONE_TIME_USE"}

    def test_placement_gives_no_other_device(self):
        forced = {
            "availability_zone": f"nova:{base.PROVEN}",
            "roles": ("admin",),
        }
        flavor = self.flavor_with()

        server = self.build(flavor, **forced)
        self.wait(server, "ACTIVE")
        self.assertIn("slot='0x01'", self.domain_xml(server))

        self.fault(self.build(flavor, **forced))


class TestNotTracked(reissue.Once):
    """The scheduler does not ask Placement: a dirty one could be given."""

    TRACKED = False

    def test_nothing_is_proven(self):
        self.assertIn(
            "this cloud's scheduler does not look for devices in Placement",
            self.refused(self.flavor_with()),
        )


class TestMoves(reissue.Once):
    SPEC = (device(WHOLE, used_once=False),)
    HOSTS = (base.PROVEN, base.OTHER)

    def test_no_server_moves_to_a_device_without_proof(self):
        self.write_policy(reissue.POLICY.replace("[one_time_use]", "[]"))
        server = self.build(self.flavor_with())
        self.wait(server, "ACTIVE")
        before = self.instance(server).host

        self.write_policy(reissue.POLICY + "moves: {hosts: audit}\n")
        events = self.decisions()
        self.act(server, {"migrate": None}, roles=("admin",))
        self.wait(server, "ACTIVE")

        self.assertEqual(before, self.instance(server).host)
        self.assertEqual("refuse", events[-1]["outcome"])
        self.assertEqual([RULE], events[-1]["rules"])
