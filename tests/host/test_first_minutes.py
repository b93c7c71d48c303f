# SPDX-License-Identifier: Apache-2.0
"""The first five minutes on a compute node: what the pages say, typed."""

import contextlib
import os
import pathlib
import re
import shlex
import subprocess

import pytest

from nova_vhard.catalogue.checks import CHECKS
from tests.host import daemon
from tests.host.reporter import NOVA_CONF
from tests.unit import commands
from tests.unit.docs import README, SOURCE, words

QUICK_START = SOURCE / "quick-start.rst"
TYPED = [
    command
    for command in commands.shown(QUICK_START)
    if "/opt/nova-vhard" in command or "python3-venv" in command
]
_ROW = re.compile(r"^\| ([a-z]\w+) +\| (\w+)", re.MULTILINE)
#: What is not a newcomer's: each is empty as long as these tests type.
_EMPTY = ("/etc/nova", "/etc/nova-vhard", "/opt", "/run/nova-vhard")


def _named(place):
    listed = re.search(place, words(QUICK_START))
    return set(re.findall(r"``(\w+)``", listed[1])) & set(CHECKS)


#: Checks that are UNKNOWN without Nova according to the page, and checks that
#: may be UNKNOWN because of the kernel.
ANNOUNCED = _named(r"these are ``UNKNOWN``(.*)Two more may be")
POSSIBLE = _named(r"Two more may be(.*)If nova-compute")


@pytest.fixture(scope="module")
def host(place, libvirtd, guest):
    """Yield a function that runs a command as root on a fresh host."""
    with contextlib.ExitStack() as ending:
        for path in _EMPTY:
            if not os.path.isdir(path):
                os.mkdir(path)
                ending.callback(os.rmdir, path)
        mounts = {"/run/libvirt": place / "libvirt" / "sock"}
        for path in _EMPTY:
            mounts[path] = place / f"fresh{path.replace('/', '-')}"
            mounts[path].mkdir()

        def typed(command, *expected):
            """Check the exit status of a command, and return its output."""
            done = subprocess.run(
                daemon.within(mounts, "bash", "-c", command),
                cwd=SOURCE.parents[1],
                env={"PATH": "/usr/sbin:/usr/bin", "HOME": str(place)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=600,
            )
            assert done.returncode in (expected or (0,)), done.stdout
            return done.stdout

        yield typed


def unknown(printed):
    """Return the checks that are UNKNOWN in the printed table."""
    result = dict(_ROW.findall(printed))
    assert set(result) == set(CHECKS), printed
    return {name for name in result if result[name] == "UNKNOWN"}


def test_the_packages_are_debians(host):
    program, *rest = shlex.split(TYPED[0])
    host(shlex.join([program, "--simulate", *rest]))


@pytest.fixture(scope="module")
def installed(host):
    """Install the reporter, which does not need libvirt-python."""
    for command in TYPED[1:3]:
        host(command)
    printed = host("/opt/nova-vhard/bin/python -c 'import libvirt'", 1)
    assert "No module named 'libvirt'" in printed
    return host


def test_without_nova_what_is_unknown_is_announced(installed):
    assert "no nova.conf" in installed(TYPED[3], 1)
    printed = installed(TYPED[4], 1, 2)
    assert unknown(printed) - POSSIBLE == ANNOUNCED, printed
    assert (len(POSSIBLE), len(ANNOUNCED)) == (2, 6)
    # No line of our log precedes the table: there was no error.
    assert printed.startswith("+--"), printed


def test_with_nova_nothing_is_unknown(installed, place):
    path = "/etc/kolla/nova-compute/nova.conf"
    assert f"``facts --nova-config-file {path}``" in words(QUICK_START)
    own = place / "first-nova.conf"
    own.write_text(NOVA_CONF.format(device_spec=""))
    installed(TYPED[3].replace("facts", f"facts --nova-config-file {own}"))
    assert unknown(installed(TYPED[4], 0, 1, 2)) <= POSSIBLE


def test_the_extra_is_named_where_it_is_missing(installed):
    """The command that installs the services does not install the extra."""
    (plain,) = commands.literal(README)
    own = "/opt/services"
    installed(f"python3 -m venv {own} && . {own}/bin/activate && {plain}")
    printed = installed(f"{own}/bin/nova-vhard-reporter check", 255)
    assert "nova-vhard[node]" in printed
    # The command leaves such a host unchanged.
    assert not pathlib.Path("/var/lib/nova-vhard-reporter").exists()
