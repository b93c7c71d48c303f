# SPDX-License-Identifier: Apache-2.0
"""Nova's services and Placement as objects of this process.

Imported only where OS_NOVA_DISABLE_EVENTLET_PATCHING is set already.
"""

import pathlib
import shutil
import sqlite3

from nova import monkey_patch

monkey_patch.patch(backend="threading")

from nova import config, context, objects, service  # noqa: E402
from nova.api.openstack import wsgi_app  # noqa: E402
from nova.compute import rpcapi as compute_rpcapi  # noqa: E402
from nova.conductor import rpcapi as conductor_rpcapi  # noqa: E402
from nova.db import migration  # noqa: E402
from nova.objects import host_mapping  # noqa: E402
from nova.scheduler import rpcapi as scheduler_rpcapi  # noqa: E402
from oslo_config import cfg  # noqa: E402
from oslo_log import log  # noqa: E402
from paste import deploy  # noqa: E402

from common import nova_records  # noqa: E402
from demo import flavors, stand_ins  # noqa: E402

CONF = cfg.CONF


class Services:
    """Nova, as configured by the files of a directory."""

    def __init__(self, home):
        self.home = pathlib.Path(home)
        config.parse_args(["nova", "--config-file", f"{home}/nova.conf"])
        log.setup(CONF, "nova")
        objects.register_all()
        self.stand_ins = stand_ins.StandIns()
        self.stand_ins.setUp()
        self.services = {}

    def make_databases(self):
        """Make the API's database, those of two cells, and the flavors."""
        migration.db_sync(database="api")
        migration.db_sync(database="main")
        shutil.copy(self.home / "cell1.sqlite", self.home / "cell0.sqlite")
        for path in self.home.glob("*.sqlite"):
            _tune(path)
        for name in ("cell0", "cell1"):
            connection = f"sqlite:///{self.home}/{name}.sqlite"
            nova_records.map_cell(name, "fake:/", connection)
        for flavor in flavors.FLAVORS:
            nova_records.make_flavor(flavor)

    def start_control(self):
        """Start the conductor and the scheduler."""
        self._start("nova-conductor", conductor_rpcapi.RPC_TOPIC)
        self._start("nova-scheduler", scheduler_rpcapi.RPC_TOPIC)

    def start_compute(self, machine):
        """Start a nova-compute.

        :param machine: demo.machines.Machine
        """
        with self.stand_ins.host(machine) as connection:
            compute = self._start(
                "nova-compute",
                compute_rpcapi.RPC_TOPIC,
                machine.name,
                topic_alt=compute_rpcapi.RPC_TOPIC_ALT,
            )
            driver_host = compute.manager.driver._host
            driver_host.get_connection = lambda: connection
            # Kept from here on, while it is still this host's.
            driver_host.get_node_uuid()

    def map_computes(self):
        """Make the computes known to the API, as discover_hosts does."""
        host_mapping.discover_hosts(context.get_admin_context())

    def api(self, paste_file):
        """Load the API from one of the paste files.

        :returns: a WSGI application
        """
        wsgi_app._setup_service(CONF.host, "osapi_compute")
        return deploy.loadapp(
            f"config:{self.home / paste_file}", name="osapi_compute"
        )

    def _start(self, binary, topic, host=None, **more):
        started = service.Service.create(
            host=host or CONF.host, binary=binary, topic=topic, **more
        )
        started.start()
        self.services[host or binary] = started
        return started


def placement_app(home):
    """Load Placement, with a configuration object of its own.

    :returns: a WSGI application
    """
    from placement import conf as options
    from placement import db_api
    from placement import deploy as placement_deploy

    conf = cfg.ConfigOpts()
    options.register_opts(conf)
    conf([], default_config_files=[f"{home}/placement.conf"])
    db_api.configure(conf)
    app = placement_deploy.loadapp(conf)
    _tune(f"{home}/placement.sqlite")
    return app


def _tune(path):
    # Readers do not wait for the writer, and nothing waits for the disk.
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
