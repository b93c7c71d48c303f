# SPDX-License-Identifier: Apache-2.0
"""A cloud as a whole: up, down, and its parts stopped and started."""

import functools
import json
import os
import signal
import time

import openstack

from cloud import (
    clients,
    commands,
    config,
    facts,
    hypervisor,
    infrastructure,
    neighbours,
    policies,
    services,
    setup_users,
    users,
)
from cloud.daemons import Daemons, Failed

_APIS = ("keystone", "placement", "glance", "nova", "neutron")
# Seconds for each stage of the start, on a machine that is busy.
_LONG = 240


class Cloud:
    """A cloud of many processes in a directory.

    :param say: called with each step of the start
    """

    #: Whether the processes are to end with this one.
    attached = False
    #: Daemons that are stopped last, group by group: clients before their
    #: servers. Without a port mapper RabbitMQ starts one, even while it
    #: stops.
    last = (("mariadb", "rabbitmq"), ("epmd",))

    def __init__(self, place, say=lambda what: None):
        self.place = place
        self.daemons = Daemons(place, self.attached)
        self._say = say
        self.facts = facts.load(place.root)

    def up(self, **wanted):
        """Start everything from nothing.

        :param wanted: see cloud.facts.make
        :raises Failed: with the reason; what was started is stopped then
        """
        self.facts = facts.make(self.place.root, **wanted)
        # Passwords are in the files.
        umask = os.umask(0o077)
        try:
            self.facts.save()
            policies.write(self.place.policy, policies.OFF)
            self.start_all()
        except BaseException:
            self.down()
            raise
        finally:
            os.umask(umask)

    def check(self, nova="nova.conf"):
        """Return what nova-vhard-status finds wrong, by the check's name.

        :param nova: name of the file of Nova to look at
        """
        home, root = self.place.home, os.geteuid() == 0
        answer = commands.run(
            "nova-vhard-status",
            f"--nova-config-file={home('nova')}/{nova}",
            f"--glance-config-file={home('glance')}/glance-api.conf",
            f"--placement-config-file={home('placement')}/placement.conf",
            *("upgrade", "check", "--json"),
            environment=self._admin.environment(),
        )
        rows = json.loads(answer.text[answer.text.index("{") :])["checks"]
        return {
            row["check"]: row["details"]
            for row in rows
            # Whoever started the cloud without root owns its files.
            if row["result"] and (root or row["check"] != "Owners and modes")
        }

    def down(self):
        last = {name for names in self.last for name in names}
        first = [name for name in self.daemons.names() if name not in last]
        self.daemons.stop(*first, seconds=10)
        for names in self.last:
            self.daemons.stop(*names)

    def stop(self, name, how=signal.SIGTERM):
        self.daemons.stop(name, how=how)

    def start(self, name):
        """Start one daemon again; wait until it listens, if it does."""
        self._start(name)
        service = "amqp" if name == "rabbitmq" else name.removesuffix("-api")
        if service in self.facts.ports:
            self.listening(service)

    def _start(self, *names):
        for name in names:
            self.daemons.start(services.named(self.facts, name))

    def _start_on_computes(self, name):
        computes = [machine.name for machine in self.facts.machines]
        self._start(*(f"{name}-{compute}" for compute in computes))

    def start_all(self):
        """Start the daemons, in the order in which they need each other."""
        facts = self.facts
        self._say("MariaDB, RabbitMQ")
        self._start("epmd", "rabbitmq")
        infrastructure.prepare_database(self.place, facts.password)
        port = facts.ports["mariadb"]
        self.daemons.start(infrastructure.database(self.place, port))
        config.write(facts)
        for machine in facts.hypervisors:
            self.daemons.start(hypervisor.boot(facts, machine))
        self.listening("mariadb")
        self._say("Keystone, Placement")
        self._start("setup-keystone", "setup-nova", "setup-glance")
        if facts.neighbours:
            self._start("setup-neutron", "setup-cinder")
        self._start("placement-api")
        self.ended("setup-keystone")
        self._start("keystone-api")
        self.ended("setup-glance")
        self._start("glance-api")
        self.listening("keystone")
        setup_users.make(facts)
        if facts.neighbours:
            self._say("Cinder, Neutron")
            self.ended("setup-cinder")
            self.listening("amqp")
            self._start("cinder-api", "cinder-scheduler", "cinder-volume")
            self.ended("setup-neutron")
        self._say("Glance, Nova")
        self._start("neutron-api")
        ready = self.place.home("nova") / "databases-ready"
        self.until("Nova's databases", ready.exists)
        self.listening("amqp")
        for machine in facts.hypervisors:
            # The guard is there before the first guest.
            sock = hypervisor.socket(facts, machine)
            self.until(f"libvirt of {machine.name}", sock.exists)
            self._start(f"setup-install-{machine.name}")
            self.ended(f"setup-install-{machine.name}")
            self._start(f"guard-{machine.name}")
        self._start("nova-conductor", "nova-scheduler")
        self._start_on_computes("nova-compute")
        self._start("nova-api")
        self.listening(*_APIS)
        self.ended("setup-nova")
        number = len(facts.machines) + 2
        compute = self._admin.compute()
        self.until("Nova's services", lambda: _up(compute, number))
        self._say("the first images, the policy")
        self._seed()
        if facts.gates:
            self._say("the reporters of the hosts")
            node, fresh = "COMPUTE_NODE", "CUSTOM_VHARD_REPORTED"
            self.until("the hosts' providers", lambda: self._have(node))
            self.enroll(*facts.machines)
            self._start_on_computes("reporter")
            self.until("the reports", lambda: self._have(fresh))
        if facts.bus:
            self._say("the exporter")
            self.start("exporter")
        if facts.dashboard:
            self._say("Horizon")
            self._start("setup-metadefs")
            self.ended("setup-metadefs")
            self.start("dashboard")

    def _seed(self):
        """Make the first images, then write the policy."""
        admin = self._admin
        if self.facts.neighbours:
            storage = admin.sdk().block_storage
            self.until("Cinder's services", lambda: _up(storage, 2))
            neighbours.seed(admin.sdk())
        for name, properties in policies.IMAGES.items():
            admin.upload(name, visibility="public", **properties)
        policies.write(self.place.policy, policies.BASELINE)
        if self.facts.libvirt:
            # A server is to be a process: not one of the fake driver's.
            fake = self.facts.machines[-1].name
            (service,) = admin.compute().services(host=fake)
            admin.compute().disable_service(service)

    def _have(self, start):
        """Return whether each host has a trait that starts so."""
        return all(
            any(trait.startswith(start) for trait in self._admin.traits(node))
            for node in (machine.node for machine in self.facts.machines)
        )

    def enroll(self, *machines, force=False):
        """Make credentials of their own for machines.

        :raises Failed: if it did not work
        """
        names = [machine.name for machine in machines]
        folder = self.place.home("credentials")
        words = ("vhard", "host", "enroll", "--folder", str(folder), *names)
        answer = self._admin.command(*words, *["--force"][: bool(force)])
        if not answer.success:
            raise Failed(answer.text)

    @functools.cached_property
    def _admin(self):
        return clients.Client(self.facts, users.ADMIN)

    def listening(self, *names):
        for name in names:
            port = self.facts.ports[name]
            self.until(name, lambda port=port: infrastructure.listens(port))

    def ended(self, name):
        """Wait until a process that does one thing has done it."""
        self.until(name, lambda: self.daemons.result(name) == 0)
        self.daemons.stop(name)

    def until(self, what, condition):
        """Wait for something, for as long as everything runs.

        :raises Failed: when something ended, or it takes too long
        """
        deadline = time.monotonic() + _LONG
        while not condition():
            for name in self.daemons.names():
                if not self.daemons.alive(name) and self.daemons.result(name):
                    raise Failed(f"{name} has ended")
            if time.monotonic() > deadline:
                raise Failed(f"not there in {_LONG} s: {what}")
            time.sleep(0.1)


def _up(api, number):
    """Return whether services are up, by an API's client."""
    try:
        states = [service.state for service in api.services()]
    except openstack.exceptions.SDKException:
        return False
    return states == ["up"] * number
