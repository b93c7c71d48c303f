# SPDX-License-Identifier: Apache-2.0
"""One cloud with Horizon, and one browser, for all tests."""

import json
import os
import pathlib
import shutil

import pytest
from common import place

from cloud import infrastructure, services, users
from cloud.cloud import Cloud
from tests.dashboard.pages import Horizon
from tests.functional.report import browser
from tests.integration.people import Person

_CHECKOUT = pathlib.Path(__file__).parents[2]
#: A cloud that is up, for whoever writes tests: .cloud of tools/cloud.sh.
_RUNNING = os.environ.get("NOVA_VHARD_CLOUD")


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
    running.up(dashboard=True)
    yield running
    running.down()
    assert not running.daemons.leftover()
    if not request.session.testsfailed:
        shutil.rmtree(stored.root)


@pytest.fixture(scope="session")
def chromium():
    with browser.chromium() as started:
        yield started


@pytest.fixture(scope="session")
def horizon(cloud, chromium, tmp_path_factory):
    """Horizon's pages, and where pictures of them are kept."""
    pictures = os.environ.get("NOVA_VHARD_PICTURES")
    folder = pathlib.Path(pictures or tmp_path_factory.mktemp("pictures"))
    return Horizon(chromium, cloud.facts, folder)


@pytest.fixture
def as_member(horizon):
    horizon.log_in(users.MEMBER.name)
    return horizon


@pytest.fixture
def as_admin(horizon):
    horizon.log_in(users.ADMIN.name)
    return horizon


@pytest.fixture(scope="session")
def member(cloud):
    return Person(cloud, users.MEMBER)


@pytest.fixture(scope="session")
def admin(cloud):
    return Person(cloud, users.ADMIN)


@pytest.fixture(scope="session")
def server(member):
    """A server as it ought to be."""
    with member.server("shop-front", "clean") as made:
        yield made


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
def nova_answers(cloud):
    """Have Nova answer the actions on servers with a status and a body."""
    file = services.faults_file(cloud.facts, "nova")

    def answer(status, body):
        fault = {"path": "/v2.1/servers/", "status": status}
        # the pages that show servers go on to work
        fault |= {"method": "POST", "body": json.dumps(body)}
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps([fault]))
        draft.replace(file)

    yield answer
    file.unlink(missing_ok=True)
