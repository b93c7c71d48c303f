# SPDX-License-Identifier: Apache-2.0
"""Snapshots of servers that a policy has accepted can be used.

A snapshot inherits the properties that Nova has recorded for the server,
including those of devices that the server does not have.
"""

from pathlib import Path

from nova import exception, objects
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
        """Return the id of a new backup of a server, and its properties."""
        before = set(self.glance.images)
        response = self.act(server, {"createBackup": BACKUP})
        self.assertEqual(202, response.status_int, response.text)
        (made,) = set(self.glance.images) - before
        return made, self.glance.images[made]["properties"]


class TestVerdicts(Snapshots, verdicts.VerdictCase):
    """Every server that a preset accepts, and its backup."""

    # Only scs needs all: baseline tells hosts apart by their machine type,
    # and strict not at all.
    def check(self, preset, hosts=recorded.HOSTS[::3]):
        # Servers of earlier cells count.
        self.flags(instances=-1, cores=-1, ram=-1, group="quota")
        for host in hosts:
            self.rule(preset, host)
            expected = recorded.accepted(preset, host)
            for name, guest in recorded.GUESTS.items():
                with self.subTest(name, host=host):
                    boots = self.boots(guest.properties, guest)
                    self.assertEqual(name in expected, bool(boots))
                    if boots:
                        self.assertEqual(
                            ["boot", "rebuild", "unshelve"],
                            self.uses(guest, host),
                        )

    def test_baseline(self):
        self.check("baseline")

    def test_scs(self):
        self.check("scs", recorded.HOSTS)

    def test_strict(self):
        self.check("strict")

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
        backup, properties = self.backup(server)
        done = self.boots(properties, guest)
        typed.rest(server)
        response = self.act(server, {"rebuild": {"imageRef": backup}})
        hints = {"_nova_check_type": ["rebuild"]}
        done += self.passed(
            "rebuild",
            response,
            properties,
            scheduler_hints=hints,
            force_hosts=["host"],
        )
        typed.rest(
            server,
            vm_states.SHELVED_OFFLOADED,
            power_state.SHUTDOWN,
            shelved_image_id=backup,
        )
        response = self.act(server, {"unshelve": None})
        cell = self.cell_mappings["cell1"]
        return done + self.passed(
            "unshelve",
            response,
            properties,
            server,
            requested_destination=objects.Destination(cell=cell),
        )

    def passed(self, operation, response, properties, server=None, **fields):
        """Return the operation if the API gate and the filter accept it.

        :param fields: what tells the filter which operation it is
        """
        from nova_vhard.gates.scheduler import VirtHardeningFilter

        self.assertIn(response.status_int, (202, 403), response.text)
        spec = self.spec_of(properties, **fields)
        spec.instance_uuid = server or spec.instance_uuid
        host = host_manager.HostState("host", "node", "cell")
        host.hypervisor_type = "QEMU"
        try:
            filters.HostFilterHandler().get_filtered_objects(
                [VirtHardeningFilter()], [host], spec
            )
        except exception.NoValidHost:
            return []
        return [operation] if response.status_int == 202 else []


class TestBooted(Snapshots, base.LibvirtCase):
    """One server, on a host with the most difficult defaults."""

    def test_a_backup_on_hosts_as_nova_ships(self):
        self.rule("strict", recorded.Host("pc", "usbtablet"))
        self.flags(hw_machine_type=["x86_64=pc"], group="libvirt")
        self.flags(pointer_model="usbtablet")
        server = self.active(self.image(**recorded.WHOLE))
        # Nova's fixture makes no disks, and so no directory for them; nor can
        # it copy the disk of a guest that runs.
        (Path(base.CONF.instances_path) / server).mkdir(exist_ok=True)
        self.rests(server, {"os-stop": None}, "SHUTOFF")
        backup, properties = self.backup(server)
        self.wait(server, "SHUTOFF")
        # Nova's client of Glance sends neither of them if it is empty.
        for name in ("kernel_id", "ramdisk_id"):
            self.assertEqual("", properties.pop(name))
        self.active(backup)
        self.rests(server, {"shelve": None}, "SHELVED_OFFLOADED")
        self.rests(server, {"unshelve": None}, "ACTIVE")
        self.rests(server, {"rebuild": {"imageRef": backup}}, "ACTIVE")

    def rests(self, server, action, status):
        response = self.act(server, action)
        self.assertEqual(202, response.status_int, response.text)
        self.wait(server, status)
