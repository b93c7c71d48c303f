# SPDX-License-Identifier: Apache-2.0
"""Nova in one process, on native threads.

Real are the API, conductor, scheduler, and four nova-computes with the libvirt
driver. libvirt itself, the disks, Neutron and Cinder are the in-memory
stand-ins of Nova's own tests.

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


def main(root):
    """Start the services one after the other; serve until the end."""
    cloud = facts.load(root)
    setup_nova.configure(cloud.place.home("nova"))
    log.setup(CONF, "nova")
    outside = stand_ins.StandIns()
    outside.setUp()
    setup_nova.make_databases(cloud.database("nova_cell1"), cloud.transport)
    for path in cloud.place.root.glob("nova*.sqlite"):
        # Readers do not wait for the writer.
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    _start("nova-conductor", conductor_rpcapi.RPC_TOPIC)
    _start("nova-scheduler", scheduler_rpcapi.RPC_TOPIC)
    for machine in cloud.machines:
        _start_compute(outside, machine)
    host_mapping.discover_hosts(context.get_admin_context())
    for name in ("plain-nova", "nova"):
        _serve(cloud, name)


def _start(binary, topic, host=None, **more):
    started = service.Service.create(
        host=host or CONF.host, binary=binary, topic=topic, **more
    )
    started.start()
    return started


def _start_compute(outside, machine):
    with outside.host(machine) as connection:
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


def _serve(cloud, name):
    wsgi_app._setup_service(CONF.host, "osapi_compute")
    file = f"{name.removesuffix('nova')}api-paste.ini"
    paste = cloud.place.home("nova") / file
    application = deploy.loadapp(f"config:{paste}", name="osapi_compute")
    faults = services.faults_file(cloud, name)
    arguments = application, cloud.ports[name], faults
    threading.Thread(target=api.serve, args=arguments).start()


if __name__ == "__main__":
    daemons.end_with_parent()
    try:
        main(*sys.argv[1:])
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        # Threads of services that are started would keep it alive.
        os._exit(1)
