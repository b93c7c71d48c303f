# SPDX-License-Identifier: Apache-2.0
"""The cloud as a whole: up, down, and its parts stopped and started."""

import os
import pathlib
import signal
import sys
import time

import openstack

from cloud import (
    config,
    facts,
    infrastructure,
    policies,
    services,
    setup_users,
)
from cloud.daemons import Daemons, Failed
from cloud.machines import MACHINES

_APIS = ("keystone", "placement", "glance", "nova", "network")
# Seconds for each stage of the start, on a machine that is busy.
_LONG = 240
#: Processes that end when they have done their work.
_SETUPS = ("setup-keystone", "setup-nova", "setup-glance")


class Cloud:
    """A cloud in a directory.

    :param place: common.place.Place, taken by the caller
    :param say: called with each step of the start
    """

    def __init__(self, place, say=lambda what: None):
        self.place = place
        self.daemons = Daemons(place)
        self._say = say
        self.facts = facts.load(place.root)

    def up(self, **wanted):
        """Start everything from nothing.

        :param wanted: see cloud.facts.make
        :raises Failed: with the reason; what was started is stopped then
        """
        self.facts = facts.make(self.place.root, **wanted)
        try:
            self._start()
        except BaseException:
            self.down()
            raise

    def down(self):
        """Stop everything."""
        # Those that ask first, those that are asked last. Without a port
        # mapper RabbitMQ starts one of its own, even while it ends.
        last = ("mariadb", "rabbitmq"), ("epmd",)
        asked = {name for names in last for name in names}
        first = [one for one in self.daemons.names() if one not in asked]
        self.daemons.stop(*first, seconds=10)
        for names in last:
            self.daemons.stop(*names)

    def stop(self, name, how=signal.SIGTERM):
        """Stop one daemon."""
        self.daemons.stop(name, how=how)

    def start(self, name):
        """Start one daemon again; wait until it listens if it is an API."""
        self.daemons.start(services.named(self.facts, name))
        service = name.removesuffix("-api")
        if service in self.facts.ports:
            self._listening(service)

    def _start(self):
        # Passwords are in the files.
        os.umask(0o077)
        self.facts.save()
        policies.write(self.place.policy, policies.OFF)
        self._say("MariaDB, RabbitMQ")
        made = self.facts
        for one in infrastructure.broker(
            self.place, made.ports, made.password
        ):
            self.daemons.start(one)
        infrastructure.prepare_database(self.place, made.password)
        port = made.ports["mariadb"]
        self.daemons.start(infrastructure.database(self.place, port))
        config.write(made)
        config.write_clients(made, pathlib.Path(sys.executable).parent)
        self._listening("mariadb")
        self._identity()
        self._say("Glance, Nova")
        self._nova()
        self._say("the first images, the policy")
        self._seed()
        if self.facts.gates:
            self._say("the reporters of the hosts")
            self._reporters()

    def _identity(self):
        self._say("Keystone, Placement")
        for one in services.setups(self.facts):
            self.daemons.start(one)
        for name in ("network", "placement"):
            self.daemons.start(services.api(self.facts, name))
        self._ended("setup-keystone")
        self.daemons.start(services.api(self.facts, "keystone"))
        self._ended("setup-glance")
        self.daemons.start(services.api(self.facts, "glance"))
        self._listening("keystone")
        setup_users.make(self.facts)

    def _nova(self):
        ready = self.place.home("nova") / "databases-ready"
        self._until("Nova's databases", ready.exists)
        self._listening("amqp")
        for one in services.controls(self.facts):
            self.daemons.start(one)
        for machine in MACHINES:
            self.daemons.start(services.compute(self.facts, machine))
        self.daemons.start(services.api(self.facts, "nova"))
        for name in _APIS:
            self._listening(name)
        self._ended("setup-nova")
        admin = setup_users.client(self.facts)
        self._until("Nova's services", lambda: _up(admin))

    def _seed(self):
        admin = setup_users.client(self.facts)
        for name, properties in policies.IMAGES.items():
            admin.image.create_image(
                name=name,
                disk_format="raw",
                container_format="bare",
                visibility="public",
                data=b"a disk of a few bytes",
                validate_checksum=False,
                **properties,
            )
        policies.write(self.place.policy, policies.BASELINE)

    def _reporters(self):
        for machine in MACHINES:
            self.daemons.start(services.reporter(self.facts, machine))
        admin = setup_users.client(self.facts)
        self._until("the reports", lambda: _reported(admin))

    def _listening(self, name):
        port = self.facts.ports[name]
        self._until(name, lambda: infrastructure.listens(port))

    def _ended(self, name):
        self._until(name, lambda: self.daemons.result(name) == 0)

    def _until(self, what, condition):
        """Wait for something, for as long as everything runs.

        :raises Failed: when something ended, or it takes too long
        """
        deadline = time.monotonic() + _LONG
        while not condition():
            for name in self.daemons.names():
                setup = name in _SETUPS and self.daemons.result(name) == 0
                if not setup and not self.daemons.alive(name):
                    raise Failed(f"{name} has ended")
            if time.monotonic() > deadline:
                raise Failed(f"not there in {_LONG} s: {what}")
            time.sleep(0.1)


def _up(admin):
    """Tell whether all of Nova's services say that they are up."""
    try:
        found = list(admin.compute.services())
    except openstack.exceptions.SDKException:
        return False
    return len(found) == len(MACHINES) + 2 and all(
        one.state == "up" for one in found
    )


def _reported(admin):
    """Tell whether all machines have reported to Placement."""
    for machine in MACHINES:
        answer = admin.placement.get(
            f"/resource_providers/{machine.node}/traits",
            microversion="1.6",
        )
        traits = answer.json().get("traits", ())
        if not any(one.startswith("CUSTOM_VHARD_REPORTED") for one in traits):
            return False
    return True
