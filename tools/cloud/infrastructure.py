# SPDX-License-Identifier: Apache-2.0
"""Ports; MariaDB and RabbitMQ, as the packages of Debian bring them.

Started by their own commands, not by the system's services: below the
cloud's directory, on loopback, as the user who starts the cloud.
"""

import contextlib
import os
import random
import socket
import subprocess

from cloud.daemons import Daemon, Failed

_RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
#: file: the Debian package that it is from
_NEEDED = {
    "/usr/sbin/mariadbd": "mariadb-server",
    "/usr/bin/mariadb-install-db": "mariadb-server",
    _RABBITMQ: "rabbitmq-server",
    "/usr/bin/epmd": "erlang-base",
    # Cinder looks into every disk with it.
    "/usr/bin/qemu-img": "qemu-utils",
}
# Below those that the kernel gives to outgoing connections by default, so
# that none of them takes a port between its choice and its use.
_RANGE = range(10_000, 32_000)
#: Characters of what a failed command printed.
_SHOWN = 1000
#: MariaDB runs as root only if it is told to.
_USER = ("--user=root",) if os.geteuid() == 0 else ()
#: Runs before anybody is let in.
_GRANTS = "grants.sql"

_RABBITMQ_CONF = """\
listeners.tcp.local = 127.0.0.1:{amqp}
default_user = cloud
default_pass = {password}
loopback_users.cloud = true
log.file.level = warning
log.console = false
# The disk of a laptop may be fuller than a broker likes.
disk_free_limit.absolute = 50MB
"""


def missing():
    return sorted(
        {name for path, name in _NEEDED.items() if not os.path.exists(path)}
    )


def prepare_database(place, password):
    """Make the files of MariaDB, with a password of the user ``cloud``."""
    home = place.home("mariadb")
    home.mkdir()
    names = ["keystone", "placement", "glance", "neutron", "cinder"]
    names += ["nova_api", "nova_cell0", "nova_cell1"]
    grants = [
        f"CREATE OR REPLACE USER cloud@'%' IDENTIFIED BY '{password}';",
        "GRANT ALL ON *.* TO cloud@'%' WITH GRANT OPTION;",
        *(f"CREATE DATABASE IF NOT EXISTS {n};" for n in names),
    ]
    (home / _GRANTS).write_text("\n".join(grants) + "\n")
    done = subprocess.run(
        [
            "/usr/bin/mariadb-install-db",
            "--no-defaults",
            f"--datadir={home / 'data'}",
            "--skip-name-resolve",
            "--skip-test-db",
            # root's way in is the socket, for the same user of this machine.
            "--auth-root-authentication-method=socket",
            *_USER,
        ],
        # Whenever a server starts it removes what others left in here: where
        # two are installed at once, the tables that the other works with.
        env={**os.environ, "TMPDIR": str(home)},
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    log = place.logs / "mariadb-install.log"
    log.write_text(done.stdout)
    if done.returncode:
        first = done.stdout[:_SHOWN]
        raise Failed(f"mariadb-install-db failed; see {log}: {first}")


def database(place, port):
    home = place.home("mariadb")
    return Daemon(
        "mariadb",
        (
            "/usr/sbin/mariadbd",
            "--no-defaults",
            f"--datadir={home / 'data'}",
            "--bind-address=127.0.0.1",
            f"--port={port}",
            # Below the data: the path of a socket must not be long.
            "--socket=mariadb.sock",
            f"--init-file={home / _GRANTS}",
            f"--pid-file={home / 'pid'}",
            f"--tmpdir={home}",
            f"--log-error={place.logs / 'mariadb.log'}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--max-connections=500",
            "--character-set-server=utf8mb4",
            # The data are for one run: nothing waits for the disk.
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-doublewrite=0",
            # MariaDB 11.6.2 has this on, and Nova tries no transaction again
            # that fails by it (Launchpad 2116186); older ones know no name.
            "--loose-innodb-snapshot-isolation=OFF",
            *_USER,
        ),
    )


def connection(port, password, name):
    host = f"127.0.0.1:{port}"
    return f"mysql+pymysql://cloud:{password}@{host}/{name}?charset=utf8mb4"


def broker(place, ports, password):
    """Return the daemons of RabbitMQ by name: Erlang's port mapper, itself.

    The package would start the port mapper on every address, open to everyone,
    and leave it running.
    """
    home = place.home("rabbitmq")
    home.mkdir(exist_ok=True)
    (home / "rabbitmq.conf").write_text(
        _RABBITMQ_CONF.format(amqp=ports["amqp"], password=password)
    )
    (home / "plugins").write_text("[].\n")
    (home / "env.conf").touch()
    mapper = {
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(ports["epmd"]),
    }
    local = "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
    environment = {
        **mapper,
        # Where Erlang keeps its cookie.
        "HOME": str(home),
        "RABBITMQ_NODENAME": "cloud@localhost",
        "RABBITMQ_DIST_PORT": str(ports["erlang"]),
        "RABBITMQ_CONF_ENV_FILE": str(home / "env.conf"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(place.logs),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": local,
    }
    return {
        "epmd": Daemon("epmd", ("/usr/bin/epmd",), mapper),
        "rabbitmq": Daemon("rabbitmq", (_RABBITMQ,), environment),
    }


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def choose_ports(names):
    """Choose a free TCP port for each name; return a dict."""
    with contextlib.ExitStack() as held:
        return {name: _bind(held) for name in names}


def _bind(held):
    listener = held.enter_context(socket.socket())
    # Not a seeded choice: two clouds on one machine shall not meet.
    while True:
        with contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", random.choice(_RANGE)))
            return listener.getsockname()[1]
