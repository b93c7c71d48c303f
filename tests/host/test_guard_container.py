# SPDX-License-Identifier: Apache-2.0
"""libvirt in a container, as Kolla has it: hook and socket meet by mounts.

The container is a mount namespace: Kolla's has the host's processes, users and
network. The guard runs on the host, with the paths that it ships with.
"""

import contextlib

import libvirt
import pytest

from tests.host import daemon
from tests.host.guard import Guard, wait
from tests.host.test_guard import policy, refusal

RUN, STATE = "/run/nova-vhard-guard", "/var/lib/nova-vhard-guard"


@contextlib.contextmanager
def guarded(place, *mounted):
    """Run a libvirt in a container, and the guard outside of it.

    :param mounted: which folders of the guard are mounted in the container
    """
    folders = {RUN: place / "guard/run", STATE: place / "guard/state"}
    own = place / "own"
    for folder in (*folders.values(), own):
        folder.mkdir(parents=True)
    inside = folders | dict.fromkeys(folders.keys() - {*mounted}, own)
    with daemon.Libvirt(place / "container", inside) as host:
        guard = Guard(place / "guard", host, folders)
        with guard.installed(policy(unanswered="refuse")):
            yield host, guard


def test_the_folders_of_the_guard_are_mounted(place):
    with guarded(place / "meets", RUN, STATE) as (host, guard):
        wait(guard.is_asked)
        assert RUN in guard.hook.read_text()
        with contextlib.closing(host.connect()) as connection:
            # The socket of a daemon that is started again is another file.
            guard.kill()
            with pytest.raises(libvirt.libvirtError, match="not answer"):
                host.start("good")
            guard.start()
            refusal(connection.createXML, host.describe("bad", bus="sata"))
        host.start("good")


@pytest.mark.parametrize(
    ("mounted", "said"),
    # Nobody is asked; or a dead guard lets pass.
    [((), "unguarded: "), ((RUN,), "guarded: ")],
)
def test_folders_that_are_missing(place, mounted, said):
    with guarded(place / said[:5], *mounted) as (host, guard):
        wait(lambda: guard.command("probe").stdout.startswith(said))
        guard.kill()
        host.start("bad", bus="sata")
