# SPDX-License-Identifier: Apache-2.0
"""A real host: this machine, with a libvirt and a guest of its own."""

import os

import pytest

from tests.host import daemon
from tests.host.reporter import Reporter


def pytest_collection_modifyitems(items):
    """Run the tests of the misconfigured host first.

    The daemons of a host share one qemu.conf, and ``libvirtd`` below reads the
    machine's once it runs.
    """
    items.sort(key=lambda item: item.path.name != "test_remedies.py")


@pytest.fixture(scope="session")
def place():
    assert os.geteuid() == 0, "tests/host needs root"
    with daemon.folder() as path:
        yield path


@pytest.fixture(scope="session")
def libvirtd(place):
    with daemon.Libvirt(place / "libvirt") as running:
        yield running


@pytest.fixture(scope="session")
def guest(libvirtd):
    """Start a guest that libvirt is to confine; return its uuid."""
    return libvirtd.start("tiny")


@pytest.fixture(scope="session")
def reporter(place, libvirtd):
    result = Reporter(place / "reporter", libvirtd.uri)
    result.facts()
    return result


@pytest.fixture(scope="session")
def results(reporter, guest):
    """Return what every check says while the guest runs."""
    return reporter.check()
