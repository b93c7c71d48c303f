# SPDX-License-Identifier: Apache-2.0
"""Nova and Placement in one process, on native threads.

Real are the API, conductor, scheduler, four nova-computes with the libvirt
driver, and Placement. libvirt itself, the disks, Neutron and Cinder are the
in-memory stand-ins of Nova's own tests.

Run as ``python -m cloud.one_process ROOT`` with the cloud's directory, and
OS_NOVA_DISABLE_EVENTLET_PATCHING set: it is read when nova.tests is imported.
"""

import os
import sqlite3
import sys
import threading
import traceback

# First of all: it decides on how to do threads.
from cloud import setup_nova

# isort: split
from nova import context, service
from nova.api.openstack import wsgi_app
from nova.compute import rpcapi as compute_rpcapi
from nova.conductor import rpcapi as conductor_rpcapi
from nova.objects import host_mapping
from nova.scheduler import rpcapi as scheduler_rpcapi
from oslo_config import cfg
from oslo_log import log
from paste import deploy

from cloud import api, daemons, facts, services, stand_ins

CONF = cfg.CONF


class Nova:
    """Nova, as configured by the files of a cloud.

    :param made: cloud.facts.Facts
    """

    def __init__(self, made):
        self._facts = made
        self._home = made.place.home("nova")
        setup_nova.configure(self._home)
        log.setup(CONF, "nova")
        self._stand_ins = stand_ins.StandIns()
        self._stand_ins.setUp()

    def start(self):
        """Start everything but the API; Placement has to be there."""
        _start("nova-conductor", conductor_rpcapi.RPC_TOPIC)
        _start("nova-scheduler", scheduler_rpcapi.RPC_TOPIC)
        for machine in self._facts.machines:
            self._start_compute(machine)
        host_mapping.discover_hosts(context.get_admin_context())

    def _start_compute(self, machine):
        with self._stand_ins.host(machine) as connection:
            compute = _start(
                "nova-compute",
                compute_rpcapi.RPC_TOPIC,
                machine.name,
                topic_alt=compute_rpcapi.RPC_TOPIC_ALT,
            )
            driver_host = compute.manager.driver._host
            driver_host.get_connection = lambda: connection
            # Kept from here on, while it is still this host's.
            driver_host.get_node_uuid()

    def api(self, paste_file):
        """Load the API from one of the paste files; a WSGI application."""
        wsgi_app._setup_service(CONF.host, "osapi_compute")
        return deploy.loadapp(
            f"config:{self._home / paste_file}", name="osapi_compute"
        )


def _start(binary, topic, host=None, **more):
    started = service.Service.create(
        host=host or CONF.host, binary=binary, topic=topic, **more
    )
    started.start()
    return started


def placement(home):
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
    return placement_deploy.loadapp(conf)


def _tune(path):
    # Readers do not wait for the writer.
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def main(root):
    """Start the services one after the other; serve until the end."""
    made = facts.load(root)

    def serve(name, application):
        faults = services.faults_file(made, name)
        arguments = application, made.ports[name], faults
        threading.Thread(target=api.serve, args=arguments).start()

    nova = Nova(made)
    setup_nova.make_databases(made.database("nova_cell1"), made.transport)
    resources = placement(made.place.home("placement"))
    for path in made.place.root.glob("*.sqlite"):
        if not path.name.startswith("glance"):
            _tune(path)
    serve("placement", resources)
    nova.start()
    serve("plain-nova", nova.api("plain-api-paste.ini"))
    serve("nova", nova.api("api-paste.ini"))


if __name__ == "__main__":
    daemons.end_with_parent()
    try:
        main(*sys.argv[1:])
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        # Threads of services that are started would keep it alive.
        os._exit(1)
