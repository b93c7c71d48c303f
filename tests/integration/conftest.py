# SPDX-License-Identifier: Apache-2.0
"""One cloud for all tests; each begins and ends with the same policy."""

import contextlib
import json
import pathlib
import shutil
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloud import (
    captures,
    infrastructure,
    place,
    policies,
    services,
    users,
)
from cloud.cloud import Cloud
from tests.integration.people import Person, restart

ROOT = pathlib.Path(__file__).parents[2] / ".cloud-integration"


@pytest.fixture(scope="session")
def cloud(request):
    """The cloud, with the shortest posture_max_age that there is."""
    wanted = {"posture": {"posture_max_age": 60}, "bus": True}
    with a_cloud(request, ROOT, **wanted) as running:
        yield running


@contextlib.contextmanager
def a_cloud(request, root, **wanted):
    """A cloud, until the end; its files stay where a test has failed."""
    assert not infrastructure.missing(), infrastructure.missing()
    stored = place.Place(root)
    stored.take()
    running = Cloud(stored, print)
    running.up(**wanted)
    try:
        yield running
    finally:
        running.down()
        assert not running.daemons.leftover()
    if not request.session.testsfailed:
        shutil.rmtree(root)


def _person(user):
    @pytest.fixture(scope="session", name=user.name)
    def made(cloud):
        return Person(cloud.facts, user)

    return made


admin = _person(users.ADMIN)
member = _person(users.MEMBER)
reader = _person(users.READER)
heritage = _person(users.HERITAGE)
service = _person(users.SERVICE)


@pytest.fixture
def policy(cloud):
    """Replace the policy of all gates, until the end of the test."""

    def write(text):
        policies.write(cloud.place.policy, text)

    yield write
    policies.write(cloud.place.policy, policies.BASELINE)


@pytest.fixture
def faults(cloud):
    """Let an API have faults (see faults.py), until the end."""

    def switch(api, *named):
        path = services.faults_file(cloud.facts, api)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(named))
        draft.replace(path)

    yield switch
    for path in cloud.place.root.glob("faults-*.json"):
        path.unlink()


@pytest.fixture
def decisions(cloud):
    """Call to get the decision events that are new."""
    result = place.Events(cloud.place)
    result.new()
    return result.new


@pytest.fixture
def counted(cloud):
    """Call to get what the exporter has counted: its samples, by labels."""
    url = f"http://127.0.0.1:{cloud.facts.ports['exporter']}/metrics"

    def fetch():
        with urllib.request.urlopen(url, timeout=30) as answer:
            text = answer.read().decode()
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    return fetch


@pytest.fixture(scope="module")
def plain_nova(cloud):
    """Nova's API as it ships; everything behind it has the gates."""
    cloud.start("plain-nova-api")
    yield
    cloud.stop("plain-nova-api")


@pytest.fixture
def scheduler(request, cloud):
    """Run it on native threads, which are the default, or on green ones.

    :returns: the daemon's name
    """
    if request.param == "threading":
        yield "nova-scheduler"
        return
    cloud.stop("nova-scheduler")
    cloud.start("nova-scheduler-eventlet")
    yield "nova-scheduler-eventlet"
    cloud.stop("nova-scheduler-eventlet")
    cloud.start("nova-scheduler")


@pytest.fixture
def tree(cloud):
    """Make another captured tree a machine's host; its own at the end."""
    changed = []

    def install(machine, name):
        changed.append(machine)
        root = cloud.place.home("hosts") / machine.name
        captures.unpack(name, root, machine.node)

    yield install
    for machine in set(changed):
        install(machine, machine.tree)
        restart(cloud, f"reporter-{machine.name}")


@pytest.fixture
def logs(cloud):
    """Call with a daemon's name to get the new lines of its log."""
    path = cloud.place.logs
    begun = {each.name: each.stat().st_size for each in path.glob("*.log")}

    def new(name):
        file = f"{name}.log"
        read = (path / file).read_bytes()[begun.get(file, 0) :]
        return read.decode("utf-8", "replace").splitlines()

    return new
