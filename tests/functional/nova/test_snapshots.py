# SPDX-License-Identifier: Apache-2.0
"""Snapshots of servers that a policy has accepted can be used.

A snapshot inherits the properties that Nova has recorded for the server,
including those of devices that the server does not have.
"""

import functools
from pathlib import Path

from nova import exception, objects, utils
from nova.compute import power_state, vm_states
from nova.scheduler import filters, host_manager

from tests.functional import recorded
from tests.functional.nova import base, service, typed, verdicts

#: Of backups: Nova's fixture counts every image as one.
BACKUP = {"name": "x", "backup_type": "daily", "rotation": 100}


class Snapshots:
    """Mixin for a test case: a policy for hosts."""

    def rule(self, preset, host):
        header = service.HEADER.replace("baseline", preset)
        service.write_policy(self.policy_file, host.assumed, header)

    def backup(self, server):
        """Return the id of a new backup of a server."""
        before = set(self.glance.images)
        response = self.act(server, {"createBackup": BACKUP})
        self.assertEqual(202, response.status_int, response.text)
        (made,) = set(self.glance.images) - before
        return made

    def properties(self, image):
        return self.glance.images[image]["properties"]


class TestRecorded(base.LibvirtCase):
    """The tables match the properties that Nova's driver records."""

    POLICY = "enabled: false\n"

    def check(self, host):
        machine = [f"x86_64={host.machine}"]
        self.flags(hw_machine_type=machine, group="libvirt")
        self.flags(pointer_model=host.pointer)
        actual = {}
        for name, guest in recorded.GUESTS.items():
            server = self.active(
                self.image(**guest.properties),
                config_drive=guest.config_drive,
            )
            metadata = self.instance(server).system_metadata
            kept = utils.get_image_from_system_metadata(metadata)
            actual[name] = {
                key: value
                for key, value in kept["properties"].items()
                if key.startswith("hw_") or key in guest.properties
            }
        expected = {
            name: guest.recorded(host)
            for name, guest in recorded.GUESTS.items()
        }
        self.assertEqual(expected, actual)


class TestVerdicts(Snapshots, verdicts.VerdictCase):
    """Every server that a preset accepts, on every host, and its backup."""

    def setUp(self):
        super().setUp()
        # Servers of earlier cells count.
        self.flags(instances=-1, cores=-1, ram=-1, group="quota")
        from nova_vhard.gates.scheduler import VirtHardeningFilter

        self.filter = VirtHardeningFilter()
        self.host = host_manager.HostState("host", "node", "cell")
        self.host.hypervisor_type = "QEMU"

    def check(self, preset, host):
        self.rule(preset, host)
        expected = recorded.accepted(preset, host)
        self.assertEqual(
            {
                name: ["boot"] if name in expected else []
                for name in recorded.GUESTS
            },
            {
                name: self.boots(guest.properties, guest)
                for name, guest in recorded.GUESTS.items()
            },
        )
        steps = ["boot", "rebuild", "unshelve"]
        self.assertEqual(
            dict.fromkeys(expected, steps),
            {
                name: self.uses(recorded.GUESTS[name], host)
                for name in expected
            },
        )

    def boots(self, properties, guest):
        image = self.image(**properties)
        response = self.boot(image, config_drive=guest.config_drive)
        return self.passed("boot", response, properties)

    def uses(self, guest, host):
        """Return the operations for which a backup of a server can be used."""
        server = self.server(
            self.image(**guest.properties),
            fields={"config_drive": "True" if guest.config_drive else ""},
            **guest.recorded(host),
        )
        backup = self.backup(server)
        properties = self.properties(backup)
        done = self.boots(properties, guest)
        typed.rest(server)
        response = self.act(server, {"rebuild": {"imageRef": backup}})
        done += self.passed("rebuild", response, properties)
        typed.rest(
            server,
            vm_states.SHELVED_OFFLOADED,
            power_state.SHUTDOWN,
            shelved_image_id=backup,
        )
        response = self.act(server, {"unshelve": None})
        return done + self.passed("unshelve", response, properties, server)

    def passed(self, operation, response, properties, server=None):
        """Return the operation if the API gate and the filter accept it."""
        self.assertIn(response.status_int, (202, 403), response.text)
        spec = self.spec_of(properties, **self.hints(operation))
        if server is not None:
            spec.instance_uuid = server
        handler = filters.HostFilterHandler()
        try:
            handler.get_filtered_objects([self.filter], [self.host], spec)
        except exception.NoValidHost:
            return []
        return [operation] if response.status_int == 202 else []

    def hints(self, operation):
        """Return the fields that tell the filter which operation it is."""
        if operation == "rebuild":
            hints = {"_nova_check_type": ["rebuild"]}
            return {"scheduler_hints": hints, "force_hosts": ["host"]}
        if operation == "unshelve":
            cell = self.cell_mappings["cell1"]
            return {"requested_destination": objects.Destination(cell=cell)}
        return {}


class TestBooted(Snapshots, base.LibvirtCase):
    """One server per preset, on the hosts with the most difficult defaults."""

    def check(self, preset, host, name):
        guest = recorded.GUESTS[name]
        self.rule(preset, host)
        machine = [f"x86_64={host.machine}"]
        self.flags(hw_machine_type=machine, group="libvirt")
        self.flags(pointer_model=host.pointer)
        server = self.active(self.image(**guest.properties))
        # Nova's fixture makes no disks, and so no directory for them; nor can
        # it copy the disk of a guest that runs.
        (Path(base.CONF.instances_path) / server).mkdir(exist_ok=True)
        self.rests(server, {"os-stop": None}, "SHUTOFF")
        backup = self.backup(server)
        self.wait(server, "SHUTOFF")
        # Nova's client of Glance sends neither of them if it is empty.
        for name in ("kernel_id", "ramdisk_id"):
            self.assertEqual("", self.properties(backup).pop(name))
        self.active(backup)
        self.rests(server, {"shelve": None}, "SHELVED_OFFLOADED")
        self.rests(server, {"unshelve": None}, "ACTIVE")
        self.rests(server, {"rebuild": {"imageRef": backup}}, "ACTIVE")

    def rests(self, server, action, status):
        response = self.act(server, action)
        self.assertEqual(202, response.status_int, response.text)
        self.wait(server, status)

    def test_baseline(self):
        self.check("baseline", recorded.Host("pc", "usbtablet"), "silent")

    def test_scs(self):
        self.check("scs", recorded.Host("q35", "ps2mouse"), "public")

    def test_scs_on_hosts_as_nova_ships(self):
        self.check("scs", recorded.Host("pc", "usbtablet"), "whole")

    def test_strict_on_hosts_as_nova_ships(self):
        self.check("strict", recorded.Host("pc", "usbtablet"), "whole")


def _name(*words):
    return "_".join(("test", *words))


for _host in recorded.HOSTS:
    setattr(
        TestRecorded,
        _name(*_host),
        functools.partialmethod(TestRecorded.check, _host),
    )
    for _preset in recorded.PRESETS:
        setattr(
            TestVerdicts,
            _name(_preset, *_host),
            functools.partialmethod(TestVerdicts.check, _preset, _host),
        )
