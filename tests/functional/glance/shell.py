# SPDX-License-Identifier: Apache-2.0
"""The real openstack command, in this process, on wsgi-intercept."""

import logging
from collections.abc import Callable, Iterator

import pytest

from tests.functional.glance.keystone import LOGIN

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def openstack(
    cloud: None, capfd: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Give the openstack command: arguments in, status and output out."""
    shell = pytest.importorskip("openstackclient.shell")
    options = [
        f"--os-{name.replace('_', '-')}={value}"
        for name, value in LOGIN.items()
    ]
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    # What another test left there may write to a stream that is closed.
    logger.handlers[:] = []

    def run(*arguments: str) -> tuple[int, str]:
        forget_clients()
        status = shell.main([*options, *arguments])
        return status, "".join(capfd.readouterr()).strip()

    yield run
    # The command sets up logging to a stream that is captured per test.
    logger.handlers[:] = handlers
    logger.setLevel(level)


def forget_clients() -> None:
    """Make the next openstack command log in again.

    A real command is a process of its own; osc-lib keeps its clients in one.
    """
    from osc_lib.clientmanager import ClientCache, ClientManager

    for member in vars(ClientManager).values():
        if isinstance(member, ClientCache):
            member._handle = None
