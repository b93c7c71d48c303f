# SPDX-License-Identifier: Apache-2.0
"""Where each command that README and quick start show is really run."""

from dataclasses import dataclass

MEMBER, ADMIN = "member", "admin"


@dataclass(frozen=True)
class Run:
    """Run of a command on the demo's services.

    :ivar user: user of the client
    :ivar status: expected exit status
    """

    user: str = ADMIN
    status: int = 0


_CREATE = (
    "openstack image create --file router.img --disk-format qcow2 "
    "--property hw_disk_bus=ide"
)

#: By tests/functional/pages/test_commands.py, in the directory of an admin
#: who has a policy.yaml and a router.img there.
ON_THE_DEMO = {
    f"{_CREATE} --property hw_vif_model=e1000 router": Run(MEMBER, 1),
    f"{_CREATE} router": Run(MEMBER, 1),
    "openstack server show -f json -c fault with-a-port": Run(MEMBER),
    "openstack vhard host list": Run(),
    "openstack vhard policy check baseline": Run(),
    "openstack vhard policy explain --policy baseline "
    "--property hw_disk_bus=ide": Run(status=1),
    "openstack vhard image audit --policy baseline --all": Run(),
    "openstack vhard image audit --all --policy policy.yaml": Run(),
    "openstack vhard server audit --policy baseline --all-projects": Run(),
    "openstack vhard decision summary .demo/logs/nova.log": Run(),
    "openstack vhard report --policy baseline --html report.html": Run(),
    "openstack vhard flavor audit --policy baseline": Run(),
    "openstack vhard flavor audit --policy policy.yaml": Run(),
    "openstack vhard qemu plan --policy baseline": Run(),
}

_COMMANDS = "tests/functional/pages/test_commands.py"
_README = "tests/integration/test_readme.py"
_CLOUD = f"{_README}::test_a_command_on_the_cloud"
_FIRST = "tests/host/test_first_minutes.py"
_INSTALL = f"{_README}::test_what_is_installed_runs"

#: Tests of commands that are not a client's, or need more than the demo.
ELSEWHERE = {
    "nova-vhard-reporter check --policy baseline": (
        f"{_COMMANDS}::test_this_very_host"
    ),
    "nova-vhard-status upgrade check": f"{_COMMANDS}::test_the_demos_node",
    "nova-vhard-reporter run": (
        "tests/integration/test_reporters.py::"
        "test_placement_knows_what_each_host_has_proven"
    ),
    "python3 -m pip install .": _INSTALL,
    "python3 -m venv /opt/nova-vhard": _INSTALL,
    "python3 -m pip install python-openstackclient '.[client]'": _INSTALL,
    "/opt/nova-vhard/bin/pip install '.[node]'": _INSTALL,
    "/opt/nova-vhard/bin/nova-vhard-reporter check --policy baseline": (
        f"{_FIRST}::test_without_nova_what_is_unknown_is_announced"
    ),
    # It writes below /run.
    "/opt/nova-vhard/bin/nova-vhard-reporter facts": (
        f"{_FIRST}::test_without_nova_what_is_unknown_is_announced"
    ),
    "apt-get install git python3-venv libvirt-clients": (
        f"{_FIRST}::test_the_packages_are_debians"
    ),
    "tools/demo.sh": f"{_README}::test_the_demo",
    "tools/demo.sh --without-gates": f"{_README}::test_the_demo",
    "apt-get install rabbitmq-server mariadb-server qemu-utils": (
        f"{_README}::test_the_packages_that_root_installs"
    ),
    "tools/cloud.sh up": _CLOUD,
    "tools/cloud.sh play": (
        "tests/integration/test_story.py::test_the_story_goes_as_told"
    ),
    ". .cloud/rc": _CLOUD,
    "truncate -s 1M router.img": _CLOUD,
    "openstack image create --file router.img --disk-format raw "
    "--property hw_disk_bus=ide router": _CLOUD,
    "openstack server create --image old-router --flavor m1.tiny old": _CLOUD,
    "openstack server create --image clean --flavor m1.tiny --wait "
    "-c name -c status new": _CLOUD,
    "tools/cloud.sh down": _CLOUD,
}

#: Command to the script that runs it.
BY_CI = {"tools/test.sh": ".ci/stage"}
