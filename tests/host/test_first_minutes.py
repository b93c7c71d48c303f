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
from tests.unit.docs import INSTALL, README, SOURCE, words

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


#: Checks that the page says stay UNKNOWN without Nova, and those of which it
#: depends on the kernel.
ANNOUNCED = _named(r"these are ``UNKNOWN``(.*)Two more may be")
POSSIBLE = _named(r"Two more may be(.*)If nova-compute")


@pytest.fixture(scope="module")
def host(place, libvirtd, guest):
    """Return a function that types a command, as root on a fresh host."""
    made = [path for path in _EMPTY if not os.path.isdir(path)]
    with contextlib.ExitStack() as ending:
        for path in made:
            os.mkdir(path)
            ending.callback(os.rmdir, path)
        mounts = {"/run/libvirt": place / "libvirt" / "sock"}
        for path in _EMPTY:
            mounts[path] = place / f"fresh{path.replace('/', '-')}"
            mounts[path].mkdir()

        def typed(command):
            """Return the exit status, and what a command printed."""
            done = subprocess.run(
                daemon.within(mounts, "bash", "-c", command),
                cwd=SOURCE.parents[1],
                env={"PATH": "/usr/sbin:/usr/bin", "HOME": str(place)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=600,
            )
            return done.returncode, done.stdout

        yield typed


@pytest.fixture(scope="module")
def session(host):
    """Return what each command of the page came to, typed one by one."""
    return {command: host(command) for command in TYPED[1:]}


def unknown(printed):
    """Return the checks that are UNKNOWN in the table that is printed."""
    result = dict(_ROW.findall(printed))
    assert set(result) == set(CHECKS), printed
    return {name for name in result if result[name] == "UNKNOWN"}


def test_the_installation_repeats_none_of_them():
    assert len(TYPED) == 5
    assert not set(commands.shown(INSTALL)) & set(TYPED)


def test_the_packages_are_debians(host):
    program, *rest = shlex.split(TYPED[0])
    status, printed = host(shlex.join([program, "--simulate", *rest]))
    assert status == 0, printed


def test_it_installs_and_needs_no_libvirt_python(session, host):
    for command in TYPED[1:3]:
        status, printed = session[command]
        assert status == 0, printed
    status, printed = host("/opt/nova-vhard/bin/python -c 'import libvirt'")
    assert (status, "No module named 'libvirt'" in printed) == (1, True)


def test_without_nova_what_is_unknown_is_announced(session):
    status, printed = session[TYPED[3]]
    assert (status, "no nova.conf" in printed) == (1, True), printed
    status, printed = session[TYPED[4]]
    assert status in (1, 2), printed
    assert unknown(printed) - POSSIBLE == ANNOUNCED, printed
    assert (len(POSSIBLE), len(ANNOUNCED)) == (2, 6)
    # No line of our log precedes the table: there was no error.
    assert printed.startswith("+--"), printed


def test_with_nova_nothing_is_unknown(session, host, place):
    path = "/etc/kolla/nova-compute/nova.conf"
    given = f"facts --nova-config-file {path}"
    assert f"``{given}``" in words(QUICK_START)
    own = place / "first-nova.conf"
    own.write_text(NOVA_CONF.format(device_spec="", libvirt=""))
    facts = given.replace(path, str(own))
    status, printed = host(TYPED[3].replace("facts", facts))
    assert status == 0, printed
    assert unknown(host(TYPED[4])[1]) <= POSSIBLE


def test_the_extra_is_named_where_it_is_missing(session, host):
    """Who followed the line for the services has no reporter yet."""
    (plain,) = commands.literal(README)
    own = "/opt/services"
    venv = f"python3 -m venv {own} && . {own}/bin/activate && {plain}"
    status, printed = host(venv)
    assert status == 0, printed
    status, printed = host(f"{own}/bin/nova-vhard-reporter check")
    assert (status, "nova-vhard[node]" in printed) == (255, True), printed
    # A host that was never looked at is left as it was.
    assert not pathlib.Path("/var/lib/nova-vhard-reporter").exists()
