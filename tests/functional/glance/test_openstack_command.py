# SPDX-License-Identifier: Apache-2.0
"""The explanation reaches people whole through the openstack command.

The real command speaks to the application through wsgi-intercept.
"""

import logging
from collections.abc import Callable, Iterator

import pytest

from tests.functional.glance.explanation import of_create, of_update
from tests.functional.glance.keystone import LOGIN
from tests.functional.glance.wire import User

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
    """Make the next openstack command log in anew.

    A real one is a process of its own; osc-lib keeps its clients for one.
    """
    from osc_lib.clientmanager import ClientCache, ClientManager

    for member in vars(ClientManager).values():
        if isinstance(member, ClientCache):
            member._handle = None


def test_openstack_image_create(
    openstack: Command, gated: User, plain: User
) -> None:
    # when
    status, output = openstack(
        "image",
        "create",
        "--property=hw_disk_bus=ide",
        "--property=hw_vif_model=e1000",
        "image",
    )
    # then
    assert status == 1
    of_create(gated).assert_whole_in(output)
    assert plain.images() == []


def test_openstack_image_set(
    openstack: Command, gated: User, plain: User
) -> None:
    # given
    image = plain.create().json
    # when
    status, output = openstack(
        "image",
        "set",
        "--property=hw_disk_bus=ide",
        "--property=hw_vif_model=e1000",
        image["id"],
    )
    # then
    assert status == 1
    of_update(gated, image["id"]).assert_whole_in(output)
    assert plain.image(image["id"]) == image


def test_openstack_image_set_of_a_good_device(
    openstack: Command, plain: User
) -> None:
    # given
    image = plain.create().json["id"]
    # when
    status, output = openstack(
        "image", "set", "--property=hw_disk_bus=virtio", image
    )
    # then
    assert (status, output) == (0, "")
    assert plain.image(image)["hw_disk_bus"] == "virtio"
