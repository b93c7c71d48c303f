# SPDX-License-Identifier: Apache-2.0
"""What a cloud's processes and users must know of it."""

import json
import pathlib
import secrets
from dataclasses import asdict, dataclass

from cloud import infrastructure, machines, place, ports

_FILE = "cloud.json"
APIS = ("keystone", "placement", "glance", "nova", "plain-nova", "network")
_PORTS = (*APIS, "mariadb", "amqp", "erlang", "epmd")
#: Seconds for which a scheduler keeps what Placement has told, so that a
#: person does not wait a minute; and after which it trusts no host without
#: Placement.
_POSTURE = {"posture_ttl": 1, "posture_max_age": 600}


@dataclass(frozen=True)
class Facts:
    """Addresses, and the one password of everybody.

    :ivar root: directory of the cloud
    :ivar ports: of everything that listens, by name
    :ivar posture: options of nova-scheduler, by name
    :ivar gates: whether this project's gates are in the services
    :ivar steady: whether it is for measurements: any of the hosts is taken,
        and what is done by the clock is done seldom
    :ivar small: whether Nova is one process, with stand-ins around it
    """

    root: str
    ports: dict[str, int]
    password: str
    posture: dict[str, int]
    gates: bool = True
    steady: bool = False
    small: bool = False

    @property
    def place(self):
        """The directories."""
        return place.Place(self.root)

    @property
    def machines(self):
        """The compute nodes."""
        return (*machines.MACHINES, *[machines.THIS][: self.small])

    @property
    def transport(self):
        """The address of the message queue."""
        if self.small:
            return "fake:/"
        login = f"cloud:{self.password}"
        return f"rabbit://{login}@127.0.0.1:{self.ports['amqp']}/"

    def url(self, service):
        """Return the address of an API."""
        return f"http://127.0.0.1:{self.ports[service]}"

    def database(self, name):
        """Return the address of a database, for SQLAlchemy."""
        if self.small:
            return f"sqlite:///{self.root}/{name}.sqlite"
        return infrastructure.connection(
            self.ports["mariadb"], self.password, name
        )

    def save(self):
        """Write them to the cloud's directory."""
        path = pathlib.Path(self.root) / _FILE
        path.write_text(json.dumps(asdict(self)))


def make(root, gates=True, steady=False, small=False, **posture):
    """Choose what is free to be chosen.

    :param posture: options of nova-scheduler that shall not be the default
    """
    return Facts(
        str(root),
        ports.choose(_PORTS),
        secrets.token_hex(16),
        {**_POSTURE, **posture},
        gates,
        steady,
        small,
    )


def load(root):
    """Read the facts of a cloud; None when there is none."""
    try:
        text = (pathlib.Path(root) / _FILE).read_text()
    except FileNotFoundError:
        return None
    return Facts(**json.loads(text))
