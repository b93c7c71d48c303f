# SPDX-License-Identifier: Apache-2.0
"""QEMU's sources, and a package that is built of them once."""

import os
import pathlib
import tempfile

import pytest

from tests import services
from tests.qemu import build, plans, source

services.choose_threads(services=True)


@pytest.fixture(scope="session")
def dsc():
    return source.fetch()


@pytest.fixture(scope="session")
def tree(dsc):
    """Return QEMU's unpacked sources; nothing is built in them."""
    return source.unpack(dsc, source.CACHE / "read")


@pytest.fixture(scope="session")
def place():
    assert os.geteuid() == 0, "tests/qemu builds and starts guests as root"
    with tempfile.TemporaryDirectory(prefix="nova-vhard-") as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


@pytest.fixture(scope="session")
def plan(place):
    return plans.of(plans.BUILT, place, *plans.EXTRAS)


@pytest.fixture(scope="session")
def package(dsc):
    """Return the package; minutes to build it, where it is not yet."""
    return build.package(dsc)


@pytest.fixture(scope="session")
def emulator(package, place) -> pathlib.Path:
    """Return the binary of the package, unpacked."""
    source.run("dpkg-deb", "-x", package, place / "package", cwd=place)
    return place / "package" / "usr" / "bin" / "qemu-system-x86_64"


@pytest.fixture(scope="session")
def libvirtd(emulator, place):
    """Return a libvirt of a host that has this package for its QEMU."""
    from tests.host import daemon

    mounts = build.installed(emulator, place)
    with daemon.Libvirt(place / "libvirt", mounts) as running:
        yield running
