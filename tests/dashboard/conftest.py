# SPDX-License-Identifier: Apache-2.0
"""One cloud with Horizon, and one browser, for all tests."""

import contextlib
import functools
import json
import os
import pathlib
import shutil

import pytest

from cloud import infrastructure, place, policies, services, users
from cloud.cloud import Cloud
from tests.dashboard.pages import Horizon
from tests.functional.report import browser
from tests.integration.people import Person

_CHECKOUT = pathlib.Path(__file__).parents[2]
#: A running cloud (.cloud of tools/cloud.sh), for use while writing tests.
_RUNNING = os.environ.get("NOVA_VHARD_CLOUD")
#: Python of an environment with another Horizon: see versions.py.
_HORIZON = os.environ.get("NOVA_VHARD_HORIZON", "")


@pytest.fixture(scope="session")
def cloud(request):
    if _RUNNING:
        yield Cloud(place.Place(_RUNNING))
        return
    missing = (*infrastructure.missing(), *browser.missing())
    if missing:
        pytest.fail(f"missing: {' '.join(missing)}")
    stored = place.Place(_CHECKOUT / ".cloud-dashboard")
    stored.take()
    running = Cloud(stored, print)
    running.up(dashboard=True, horizon=_HORIZON)
    yield running
    running.down()
    assert not running.daemons.leftover()
    if not request.session.testsfailed:
        shutil.rmtree(stored.root)


@pytest.fixture(scope="session")
def horizon(cloud, tmp_path_factory):
    """Give Horizon's pages as a user sees them, in a browser of their own.

    Cookies of another user would come back, with the answer to a page that
    is left. Pictures are kept where NOVA_VHARD_PICTURES says.
    """
    pictures = os.environ.get("NOVA_VHARD_PICTURES")
    folder = pathlib.Path(pictures or tmp_path_factory.mktemp("pictures"))
    with contextlib.ExitStack() as stack:

        @functools.cache
        def seen_by(user):
            started = stack.enter_context(browser.chromium())
            pages = Horizon(started, cloud.facts, folder)
            pages.log_in(user.name)
            return pages

        yield seen_by


@pytest.fixture
def as_member(horizon):
    return horizon(users.MEMBER)


@pytest.fixture
def as_admin(horizon):
    return horizon(users.ADMIN)


@pytest.fixture(scope="session")
def member(cloud):
    return Person(cloud.facts, users.MEMBER)


@pytest.fixture(scope="session")
def admin(cloud):
    return Person(cloud.facts, users.ADMIN)


@pytest.fixture(scope="session")
def server(member):
    """A server as it ought to be."""
    with member.server("shop-front", "clean") as made:
        yield made


@pytest.fixture
def old_server(policy, member):
    """A server that is older than the policy, which refuses its disk."""
    policy(policies.OFF)
    with member.server("old-shop", "old-router") as made:
        policy(policies.BASELINE)
        yield made


@pytest.fixture
def port(member):
    """The name of a port on a device of a host."""
    made = member.port("direct")
    member.network.update_port(made, name="direct")
    yield "direct"
    member.network.delete_port(made)


@pytest.fixture
def volume(member):
    """The id of a volume, which Horizon lists by it."""
    made = member.volume()
    yield made.id
    member.storage.delete_volume(made)


@pytest.fixture(scope="session")
def image(member):
    """The name of an image of the member's, as it ought to be."""
    made = member.image.create_image(
        name="shop-image",
        disk_format="raw",
        container_format="bare",
        data=b"a disk of a few bytes",
        validate_checksum=False,
        hw_disk_bus="virtio",
    )
    yield made.name
    member.image.delete_image(made.id)


@pytest.fixture(scope="session")
def loud_flavor(admin):
    """The name of a flavor that asks for what the policy refuses."""
    made = admin.compute().create_flavor(name="loud", ram=512, disk=1, vcpus=1)
    admin.compute().create_flavor_extra_specs(
        made.id, {"hw:sound_model": "ich9"}
    )
    yield made.name
    admin.compute().delete_flavor(made.id)


@pytest.fixture
def faults(cloud):
    """Let an API have a fault of tests.integration.faults, until the end."""
    files = set()

    def switch(api, fault):
        file = services.faults_file(cloud.facts, api)
        files.add(file)
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps([fault]))
        draft.replace(file)

    yield switch
    for file in files:
        file.unlink(missing_ok=True)


@pytest.fixture
def nova_answers(faults):
    """Have Nova answer the actions on servers with a status and a body."""

    def answer(status, body):
        fault = {"path": "/v2.1/servers/", "status": status}
        # the pages that show servers go on to work
        fault |= {"method": "POST", "body": json.dumps(body)}
        faults("nova", fault)

    return answer


@pytest.fixture
def policy(cloud):
    """Replace the policy of all gates, until the end of the test."""
    yield lambda text: policies.write(cloud.place.policy, text)
    policies.write(cloud.place.policy, policies.BASELINE)
