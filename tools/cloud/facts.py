# SPDX-License-Identifier: Apache-2.0
"""Facts that a cloud's processes and users need."""

import json
import pathlib
import secrets
from dataclasses import asdict, dataclass, field

from cloud import infrastructure, machines, place

_FILE = "cloud.json"
_PORTS = (
    *("keystone", "placement", "glance", "neutron", "cinder", "nova"),
    *("plain-nova", "dashboard", "exporter"),
    *("mariadb", "amqp", "erlang", "epmd"),
)
#: Seconds for which a scheduler keeps what Placement has told, so that a
#: person does not wait a minute; and after which it trusts no host without
#: Placement. The key's file is named where an attestor runs.
_POSTURE = {"posture_ttl": 1, "posture_max_age": 600, "attestation_key": ""}


@dataclass(frozen=True)
class Facts:
    """Addresses, and the one password of everybody.

    :ivar root: directory of the cloud
    :ivar ports: of everything that listens, by name
    :ivar posture: options of nova-scheduler, by name
    :ivar gates: whether this project's gates are in the services
    :ivar steady: whether it is for measurements: any of the hosts is taken,
        what is done by the clock is done seldom, Neutron has nothing at all,
        and there is no Cinder
    :ivar small: whether Nova is one process, with stand-ins around it
    :ivar dashboard: whether Horizon is there, with this project's plugin
    :ivar horizon: Python of an environment with another Horizon in it, the
        plugin and waitress; without it Horizon runs on this one
    :ivar libvirt: whether two of the computes have a real libvirt and the
        guard, rather than Nova's fake driver
    :ivar bus: whether the gates send their decisions to RabbitMQ, and the
        exporter counts them
    """

    root: str
    posture: dict[str, int | str]
    ports: dict[str, int] = field(
        default_factory=lambda: infrastructure.choose_ports(_PORTS)
    )
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    gates: bool = True
    steady: bool = False
    small: bool = False
    dashboard: bool = False
    horizon: str = ""
    libvirt: bool = False
    bus: bool = False

    @property
    def place(self):
        return place.Place(self.root)

    @property
    def attestation_key(self):
        """The file with the attestor's key, which no compute is told."""
        return self.place.home("attestation.key")

    @property
    def machines(self):
        return (*machines.MACHINES, *[machines.THIS][: self.small])

    @property
    def neighbours(self):
        """Whether Cinder is there, and a Neutron that has something."""
        return not (self.small or self.steady)

    @property
    def hypervisors(self):
        """The computes with a real libvirt."""
        return machines.MACHINES[:2] if self.libvirt else ()

    @property
    def transport(self):
        if self.small:
            return "fake:/"
        login = f"cloud:{self.password}"
        return f"rabbit://{login}@127.0.0.1:{self.ports['amqp']}/"

    def url(self, service):
        return f"http://127.0.0.1:{self.ports[service]}"

    def database(self, name):
        if self.small:
            return f"sqlite:///{self.root}/{name}.sqlite"
        return infrastructure.connection(
            self.ports["mariadb"], self.password, name
        )

    def save(self):
        path = pathlib.Path(self.root) / _FILE
        path.write_text(json.dumps(asdict(self)))


def make(root, posture=None, **more):
    """Choose what is free to be chosen, but some of the posture."""
    return Facts(str(root), {**_POSTURE, **(posture or {})}, **more)


def load(root):
    """Read the facts of a cloud; None when there is none."""
    try:
        text = (pathlib.Path(root) / _FILE).read_text()
    except FileNotFoundError:
        return None
    return Facts(**json.loads(text))
