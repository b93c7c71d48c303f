# SPDX-License-Identifier: Apache-2.0
"""Bring the cloud up and down, for a person: see tools/cloud.sh."""

import argparse
import pathlib
import shutil
import sys
import warnings

# Deprecations of other people's libraries are nobody's concern here.
warnings.simplefilter("ignore")

from cloud import hypervisor, infrastructure, place, users  # noqa: E402
from cloud.cloud import Cloud  # noqa: E402
from cloud.daemons import Failed  # noqa: E402

_ROOT = pathlib.Path(__file__).resolve().parents[2] / ".cloud"

_HELP = """\
The cloud is up. Its users are {users}:

    . {shown}/rc
    openstack image list
    OS_CLOUD=admin openstack compute service list

{dashboard}Policy of all gates: {shown}/policy.yaml
Logs:                {shown}/logs
Stop it:             tools/cloud.sh down
"""

_DASHBOARD = """\
Horizon:             {url}, domain default, password {password}
"""


_OPTIONS = {
    "--dashboard": "with up: Horizon too, with the plugin of nova-vhard",
    "--libvirt": "with up: two of the computes start QEMU by a libvirt of "
    "their own, and have the guard; needs root",
    "--without-gates": "with up: Nova and Glance as they ship, to compare "
    "with",
}


def main():
    parser = argparse.ArgumentParser(
        prog="tools/cloud.sh",
        description="A real cloud on loopback, with the gates of nova-vhard: "
        "MariaDB, RabbitMQ, Keystone, Placement, Glance, Cinder, Neutron, and "
        "Nova with three computes (fake driver), as separate processes.",
    )
    parser.add_argument("command", choices=sorted(_COMMANDS))
    for option, text in _OPTIONS.items():
        parser.add_argument(option, action="store_true", help=text)
    arguments = parser.parse_args()
    try:
        return _COMMANDS[arguments.command](place.Place(_ROOT), arguments)
    except (Failed, place.InUse) as error:
        print(f"tools/cloud.sh: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _up(stored, arguments):
    if missing := infrastructure.missing():
        raise Failed(
            "These packages of Debian or Ubuntu are missing: "
            f"{' '.join(missing)}. As root, once: "
            "apt-get install rabbitmq-server mariadb-server qemu-utils"
        )
    if arguments.libvirt and (reason := hypervisor.missing()):
        raise Failed(f"--libvirt is not for this machine: {reason}")
    if Cloud(stored).daemons.leftover():
        raise Failed("the cloud is there already; see tools/cloud.sh status")
    stored.take()
    say = place.progress()
    cloud = Cloud(stored, say)
    try:
        cloud.up(
            dashboard=arguments.dashboard,
            libvirt=arguments.libvirt,
            gates=not arguments.without_gates,
        )
    except Failed as error:
        raise Failed(f"{error}; logs are in {stored.logs}") from None
    say("done")
    text = ""
    if arguments.dashboard:
        url = cloud.facts.url("dashboard")
        text = _DASHBOARD.format(url=url, password=cloud.facts.password)
    names = ", ".join(user.name for user in users.USERS)
    shown = {"users": names, "shown": stored.root.name}
    print(_HELP.format(dashboard=text, **shown), end="")
    return 0


def _play(stored, _arguments):
    """Play the story; exit status 0 if every step passed."""
    from story import play

    cloud = Cloud(stored)
    if not cloud.daemons.ids():
        raise Failed("there is no cloud; start one: tools/cloud.sh up")
    story = play.GUESTS if cloud.facts.libvirt else play.GATES
    return 0 if play.play(cloud, story) else 1


def _down(stored, _arguments):
    cloud = Cloud(stored)
    cloud.down()
    if left := cloud.daemons.end_leftover():
        raise Failed(f"processes that did not end: {left}")
    shutil.rmtree(stored.root, ignore_errors=True)
    print("The cloud is down, and its files are gone.")
    return 0


def _status(stored, _arguments):
    """Exit status 0 if everything runs, 1 otherwise."""
    daemons = Cloud(stored).daemons
    states = daemons.ids()
    for name, pid in states.items():
        print(f"{name:24} {pid or 'has ended'}")
    left = daemons.leftover()
    if not states and left:
        print(f"Left by a cloud: {left}; tools/cloud.sh down ends them.")
    elif not states:
        print("There is no cloud.")
    return 0 if states and all(states.values()) else 1


_COMMANDS = {"up": _up, "play": _play, "down": _down, "status": _status}

if __name__ == "__main__":
    sys.exit(main())
