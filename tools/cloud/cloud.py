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
        self.daemons.start(services.named(self.facts, name))
        service = "amqp" if name == "rabbitmq" else name.removesuffix("-api")
        if service in self.facts.ports:
            self.listening(service)

    def start_all(self):
        """Start the daemons, in the order in which they need each other."""
        self._say("MariaDB, RabbitMQ")
        ports, password = self.facts.ports, self.facts.password
        for daemon in infrastructure.broker(self.place, ports, password):
            self.daemons.start(daemon)
        infrastructure.prepare_database(self.place, password)
        self.daemons.start(
            infrastructure.database(self.place, ports["mariadb"])
        )
        config.write(self.facts)
        for machine in self.facts.hypervisors:
            self.daemons.start(services.host(self.facts, machine))
        self.listening("mariadb")
        self._say("Keystone, Placement")
        self._identity()
        if self.facts.neighbours:
            self._say("Cinder, Neutron")
            self._neighbours()
        self._say("Glance, Nova")
        self._nova()
        self._say("the first images, the policy")
        self._seed()
        if self.facts.gates:
            self._say("the reporters of the hosts")
            self._reporters()
        if self.facts.bus:
            self._say("the exporter")
            self.daemons.start(services.exporter(self.facts))
            self.listening("exporter")
        if self.facts.dashboard:
            self._say("Horizon")
            self._dashboard()

    def _identity(self):
        for daemon in services.setups(self.facts):
            self.daemons.start(daemon)
        self.daemons.start(services.api(self.facts, "placement"))
        self.ended("setup-keystone")
        self.daemons.start(services.api(self.facts, "keystone"))
        self.ended("setup-glance")
        self.daemons.start(services.api(self.facts, "glance"))
        self.listening("keystone")
        setup_users.make(self.facts)

    def _neighbours(self):
        self.ended("setup-cinder")
        self.listening("amqp")
        self.daemons.start(services.api(self.facts, "cinder"))
        for daemon in services.storage(self.facts):
            self.daemons.start(daemon)
        self.ended("setup-neutron")

    def _nova(self):
        self.daemons.start(services.api(self.facts, "neutron"))
        ready = self.place.home("nova") / "databases-ready"
        self.until("Nova's databases", ready.exists)
        self.listening("amqp")
        for machine in self.facts.hypervisors:
            self._guard(machine)
        for daemon in services.controls(self.facts):
            self.daemons.start(daemon)
        for machine in self.facts.machines:
            self.daemons.start(services.compute(self.facts, machine))
        self.daemons.start(services.api(self.facts, "nova"))
        for name in _APIS:
            self.listening(name)
        self.ended("setup-nova")
        number = len(self.facts.machines) + 2
        compute = self._admin.compute()
        self.until("Nova's services", lambda: self._up(compute, number))

    def _guard(self, machine):
        """Start the guard of a host with libvirt, before the first guest."""
        sock = hypervisor.socket(self.facts, machine)
        self.until(f"libvirt of {machine.name}", sock.exists)
        installing = services.guard(self.facts, machine, "install")
        self.daemons.start(installing)
        self.ended(installing.name)
        self.daemons.start(services.guard(self.facts, machine))

    def _up(self, api, number):
        """Return whether services are up, by an API's client."""
        try:
            states = [service.state for service in api.services()]
        except openstack.exceptions.SDKException:
            return False
        return states == ["up"] * number

    def _seed(self):
        admin = self._admin
        if self.facts.neighbours:
            storage = admin.sdk().block_storage
            self.until("Cinder's services", lambda: self._up(storage, 2))
            neighbours.seed(admin.sdk())
        for name, properties in policies.IMAGES.items():
            admin.upload(name, visibility="public", **properties)
        policies.write(self.place.policy, policies.BASELINE)
        if self.facts.libvirt:
            # A server is to be a process.
            self._retire(self.facts.machines[-1])

    def _retire(self, machine):
        """Disable scheduling to a compute with the fake driver."""
        compute = self._admin.compute()
        (service,) = compute.services(host=machine.name)
        compute.disable_service(service)

    def _reporters(self):
        self.until("the hosts' providers", self._known)
        self.enroll(*self.facts.machines)
        for machine in self.facts.machines:
            self.daemons.start(services.reporter(self.facts, machine))
        self.until("the reports", self._reported)

    def _known(self):
        traits = map(self._admin.traits, self._nodes())
        return all("COMPUTE_NODE" in names for names in traits)

    def _nodes(self):
        return [machine.node for machine in self.facts.machines]

    def enroll(self, *machines, force=False):
        """Make credentials of their own for machines.

        :raises Failed: if it did not work
        """
        names = [machine.name for machine in machines]
        folder = services.credentials(self.facts)
        words = ("vhard", "host", "enroll", "--folder", str(folder), *names)
        answer = self._admin.command(*words, *["--force"][: bool(force)])
        if not answer.success:
            raise Failed(answer.text)

    def _reported(self):
        fresh = "CUSTOM_VHARD_REPORTED"
        return all(
            any(name.startswith(fresh) for name in self._admin.traits(node))
            for node in self._nodes()
        )

    @functools.cached_property
    def _admin(self):
        return clients.Client(self.facts, users.ADMIN)

    def _dashboard(self):
        self.daemons.start(services.metadefs(self.facts))
        self.ended("setup-metadefs")
        self.daemons.start(services.dashboard(self.facts))
        self.listening("dashboard")

    def listening(self, name):
        port = self.facts.ports[name]
        self.until(name, lambda: infrastructure.listens(port))

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
