# SPDX-License-Identifier: Apache-2.0
"""Snapshots of servers that a policy has accepted can be used.

A snapshot inherits the properties that Nova has recorded for the server,
including those of devices that the server does not have.
"""

from nova import exception, objects
from nova.compute import power_state, vm_states
from nova.scheduler import filters, host_manager

from tests.functional import recorded
from tests.functional.nova import service, typed, verdicts

#: Of backups: Nova's fixture counts every image as one.
BACKUP = {"name": "x", "backup_type": "daily", "rotation": 100}


class TestSnapshots(verdicts.VerdictCase):
    """Every server that a preset accepts, and its backup."""

    def test_each_preset(self):
        # Servers of earlier cells count.
        self.flags(instances=-1, cores=-1, ram=-1, group="quota")
        # Only scs needs all: baseline tells hosts apart by their machine
        # type, and strict not at all.
        some = recorded.HOSTS[::3]
        used = ["boot", "rebuild", "unshelve"]
        wrong = []
        for preset, hosts in (
            ("baseline", some),
            ("scs", recorded.HOSTS),
            ("strict", some),
        ):
            for host in hosts:
                header = service.HEADER.replace("baseline", preset)
                service.write_policy(self.policy_file, host.assumed, header)
                expected = recorded.accepted(preset, host)
                for name, guest in recorded.GUESTS.items():
                    boots = self.boots(guest.properties, guest)
                    uses = self.uses(guest, host) if boots else used
                    if (bool(boots), uses) != (name in expected, used):
                        wrong.append((preset, host, name, boots, uses))
        self.assertEqual([], wrong)

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
        before = set(self.glance.images)
        response = self.act(server, {"createBackup": BACKUP})
        self.assertEqual(202, response.status_int, response.text)
        (backup,) = set(self.glance.images) - before
        properties = self.glance.images[backup]["properties"]
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
