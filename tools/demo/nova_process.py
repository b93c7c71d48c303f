# SPDX-License-Identifier: Apache-2.0
"""Nova and Placement in one process, on native threads.

Real are the API, conductor, scheduler, four nova-computes with the libvirt
driver, and Placement. libvirt itself, the disks, Neutron and Cinder are the
in-memory stand-ins of Nova's own tests.

Arguments: the directories of Nova's and Placement's configuration, and the
numbers of three bound sockets: the API with this project's gate in its
pipeline, the API as Nova ships it, and Placement.
"""

import os

from demo import serve

# Read when nova.tests is imported.
os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"


def main(nova_home, placement_home, gated, plain, placement):
    """Start the services one after the other; serve until the parent ends."""
    reporter = serve.Reporter()
    reporter.say("importing Nova")
    from demo import machines, nova_services

    cloud = nova_services.Services(nova_home)
    reporter.say("making the databases")
    cloud.make_databases()
    reporter.say("starting Placement")
    app = nova_services.placement_app(placement_home)
    serve.serve(app, serve.inherited(placement))
    reporter.say("starting the conductor and the scheduler")
    cloud.start_control()
    for machine in machines.MACHINES:
        reporter.say(f"starting {machine.name}")
        cloud.start_compute(machine)
    reporter.say("starting the API")
    cloud.map_computes()
    serve.serve(cloud.api("api-paste.ini"), serve.inherited(gated))
    serve.serve(cloud.api("shipped-api-paste.ini"), serve.inherited(plain))
    reporter.ready()
    serve.until_parent_ends()


if __name__ == "__main__":
    serve.run(main)
