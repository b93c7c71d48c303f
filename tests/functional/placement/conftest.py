# SPDX-License-Identifier: Apache-2.0
"""The real Placement in the test process."""

import contextlib
import copy
import dataclasses
import datetime
import importlib.util
import itertools
import json
import logging
import pathlib
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from unittest import mock

import pytest

from nova_vhard.catalogue import traits
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.placement import names, upkeep
from nova_vhard.placement.client import Placement
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from tests.functional.placement import reports
from tests.unit.helpers import configured

MISSING = importlib.util.find_spec("placement") is None
#: Which role may do what in Placement, as we ship it.
POLICY = (
    pathlib.Path(__file__).parents[3]
    / "etc"
    / "nova-vhard"
    / "placement-policy.yaml"
)

#: Days for which names of reports are made, and of which a host warns.
DAYS = {name: getattr(names, name) for name in ("DAYS", "FEW_DAYS")}


class SkippedModule(pytest.Module):
    """Stands for a test module that could not be imported here."""

    def collect(self) -> list[pytest.Item]:
        pytest.skip("not installed: placement")


def pytest_pycollect_makemodule(
    module_path: pathlib.Path, parent: pytest.Collector
) -> pytest.Module | None:
    """Skip by name what cannot be imported without Placement."""
    if MISSING:
        return SkippedModule.from_parent(parent, path=module_path)
    return None


@pytest.fixture
def cloud(request: pytest.FixtureRequest) -> Iterator["Cloud"]:
    """Return a Placement with an empty database.

    The tests of a module share one, which is put back between them.
    """
    if Shared.cloud is None:
        Shared.cloud = Cloud()
        Shared.cloud.__enter__()
        Shared.database = Shared.cloud.copied()
        module = request.node.getparent(pytest.Module)
        module.addfinalizer(Shared.stop)
    cloud = Shared.cloud
    cloud.put_back(Shared.database)
    kept = dict(vars(cloud))
    cloud.requests, cloud.faults = [], []
    yield cloud
    # A test may act by another login, or replace a method.
    vars(cloud).clear()
    vars(cloud).update(kept)


class Shared:
    """The Placement of a module's tests, and its database at the beginning."""

    cloud: "Cloud | None" = None
    database: sqlite3.Connection

    @classmethod
    def stop(cls) -> None:
        """Stop it, so that another one can be started in this process."""
        cls.cloud.__exit__()
        cls.cloud = None


@pytest.fixture
def acting(cloud):
    """Return a function that makes the next requests those of roles."""
    from keystoneauth1 import adapter
    from placement import policies
    from placement import policy as placement_policy

    conf = cloud._fixture.conf_fixture.conf
    own = conf.oslo_policy.policy_file

    def enforce(path):
        placement_policy.reset()
        conf.set_override("policy_file", path, "oslo_policy")
        # oslo.policy changes the rules that it is given.
        rules = copy.deepcopy(policies.list_rules())
        placement_policy.init(conf, True, rules=rules)

    enforce(str(POLICY))
    admin = cloud._adapter

    def act(roles):
        cloud._adapter = adapter.Adapter(
            admin.session,
            endpoint_override=admin.endpoint_override,
            raise_exc=False,
            additional_headers={"x-auth-token": "u:p", "x-roles": roles},
        )
        return cloud.placement

    yield act
    enforce(own)


@pytest.fixture(autouse=True)
def hours(request, monkeypatch):
    """Make the name of the hour alone: those of two weeks take a second.

    A test that uses the fixture ``weeks`` makes as many as in a cloud.
    """
    if "weeks" not in request.fixturenames:
        # What upkeep reads as it is imported stays.
        monkeypatch.setattr(upkeep.names, "DAYS", 0)
        monkeypatch.setattr(upkeep.names, "FEW_DAYS", 0)


@pytest.fixture(autouse=True)
def handlers():
    """Remove the log handlers of programs that a test calls."""
    kept = logging.root.handlers[:]
    yield
    logging.root.handlers[:] = kept


@pytest.fixture
def weeks():
    """Make the names of two weeks."""


@pytest.fixture
def conf(tmp_path):
    """Return the options of a reporter."""
    return configured(reporter_conf, "vhard_reporter", root=str(tmp_path))


@pytest.fixture
def host(cloud, tmp_path):
    """Return a host whose reporter goes by its uuid."""
    made = cloud.host("compute", reports.FOREIGN)
    reports.identify(tmp_path, made)
    return made


@pytest.fixture
def publisher(cloud, conf):
    """Return what publishes the reports of a host."""
    return PlacementPublisher(conf, cloud.placement)


@pytest.fixture
def keystone():
    """Return a Keystone with the project and the roles that enroll needs."""
    from tests.functional.placement.keystone import service_cloud

    return service_cloud()


@pytest.fixture
def world(cloud, keystone, tmp_path, monkeypatch, request):
    """Return a cloud of which sessions tell; its commands run at NOW."""
    from tests.functional.placement.world import World

    return World(cloud, keystone, tmp_path, monkeypatch, request)


@pytest.fixture
def used(cloud, tmp_path):
    """Return a device that guests use, on a host of this Placement."""
    from tests.functional.placement.used import Used

    return Used(cloud, tmp_path)


class Cloud:
    """Placement's real application, and what a test asks of it.

    :ivar requests: method and path of every request, in order
    :ivar faults: called before each request; may raise or return a response
        in place of Placement's
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.faults: list[object] = []

    def __enter__(self) -> "Cloud":
        from keystoneauth1 import adapter
        from placement.tests.functional.fixtures import placement

        from tests.functional.placement import direct, quick

        quick.install()

        self._fixture = placement.PlacementFixture()
        self._fixture.setUp()
        self._adapter = adapter.Adapter(
            direct.to(self._fixture.endpoint),
            endpoint_override=self._fixture.endpoint,
            raise_exc=False,
            additional_headers={"x-auth-token": "admin"},
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._fixture.cleanUp()

    @staticmethod
    def database():
        """Return the connection that Placement has to its database."""
        from placement import db_api

        manager = db_api.placement_context_manager
        with manager.writer.get_engine().connect() as connection:
            return connection.connection.driver_connection

    def insert(self, names: Iterable[str]) -> None:
        """Make names of traits, as so many requests would."""
        with self.database() as database:
            database.executemany(
                "INSERT OR IGNORE INTO traits (name, created_at)"
                " VALUES (?, CURRENT_TIMESTAMP)",
                [(name,) for name in names],
            )

    def insert_swept(self, now: datetime.datetime) -> None:
        """Make the names that a sweep makes, without a request for each."""
        hours = traits.hours(now, 0, names.DAYS * 24 + 1)
        self.insert(names.of_checks().union(hours))

    def copied(self) -> sqlite3.Connection:
        """Return a copy of the database."""
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        self.database().backup(copy)
        return copy

    def put_back(self, copy: sqlite3.Connection) -> None:
        """Let the database be as it was when it was copied."""
        copy.backup(self.database())

    @property
    def placement(self):
        """Our own module, speaking to this Placement."""
        return Placement(self)

    def _send(self, method: str, url: str, version: str, **more: object):
        self.requests.append((method, url))
        for fault in list(self.faults):
            response = fault(method, url)
            if response is not None:
                return response
        headers = {"OpenStack-API-Version": f"placement {version}"}
        send = getattr(self._adapter, method.lower())
        return send(url, headers=headers, **more)

    def get(self, url: str, version: str):
        return self._send("GET", url, version)

    def put(self, url: str, data: object, version: str):
        return self._send("PUT", url, version, json=data)

    def delete(self, url: str, version: str):
        return self._send("DELETE", url, version)

    def send(self, method: str, url: str, body: object = None):
        """Send what works, past ``requests`` and ``faults``."""
        headers = {"OpenStack-API-Version": "placement 1.39"}
        response = self._adapter.request(
            url, method, json=body, headers=headers
        )
        assert response.status_code < 300, response.text
        return response

    def make(self, **body: str) -> str:
        """Make a provider; return its uuid."""
        body = {"uuid": str(uuid.uuid4()), **body}
        self.send("POST", "/resource_providers", body)
        return body["uuid"]

    def host(self, name: str, traits: Iterable[str] = ()) -> str:
        """Make a root provider with traits; return its uuid."""
        provider = self.make(name=name)
        self.give(provider, traits)
        return provider

    def give(self, provider: str, traits: Iterable[str]) -> None:
        """Replace all traits of a provider, as any user may."""
        wanted = sorted(traits)
        for name in wanted:
            if name.startswith("CUSTOM_"):
                self.send("PUT", f"/traits/{name}")
        url = f"/resource_providers/{provider}/traits"
        now = self.send("GET", url).json()
        self.send("PUT", url, {**now, "traits": wanted})

    def refuse(self, method: str, part: str, *answer: object) -> list[str]:
        """Answer each request of a kind in place of Placement.

        :param method: "" for any
        :param part: of its URL
        :param answer: status, text and headers; none for a connection that
            fails
        :returns: the URLs, as they are asked for
        """
        refused: list[str] = []

        def fault(how: str, url: str):
            if not how.startswith(method) or part not in url:
                return None
            refused.append(url)
            if not answer:
                raise ConnectionError("unreachable")
            return Answer(*answer)

        self.faults.append(fault)
        return refused

    def before(self, method: str, part: str, happens: Callable[[], object]):
        """Call a function before the first request of a kind."""

        def fault(how: str, url: str) -> None:
            if how == method and part in url:
                self.faults.clear()
                happens()

        self.faults.append(fault)

    def traits(self, provider: str) -> tuple[set[str], int]:
        """Return a provider's traits and its generation."""
        url = f"/resource_providers/{provider}/traits"
        body = self.send("GET", url).json()
        return set(body["traits"]), body["resource_provider_generation"]

    def claims(self, provider: str) -> tuple[set[str], int]:
        """Return the same without what tells failed checks apart."""
        result, generation = self.traits(provider)
        statuses = {
            name for name in result if name.startswith("CUSTOM_VHSTATUS_")
        }
        return result - statuses, generation

    def names(self) -> set[str]:
        """Return the names of ours that exist."""
        url = "/traits?name=startswith:CUSTOM_VHARD_"
        return set(self.get(url, "1.39").json()["traits"])


class Killed(BaseException):
    """The end of the process: an exception that our code does not handle."""


def killed(
    cloud: Cloud,
    begin: Callable[[], object],
    work: Callable[[Callable[..., None]], object],
) -> Iterator[int]:
    """Kill a process at each of its requests, in turn.

    :param begin: called before each process
    :param work: work of the process; may call its argument at other points,
        to be killed there
    :returns: the number of points that each process has passed; the last one
        is not killed
    """
    for points in itertools.count():
        begin()
        ends = [None] * points, itertools.repeat(Killed)
        kill = mock.Mock(side_effect=itertools.chain(*ends))
        cloud.faults.append(kill)
        with contextlib.suppress(Killed):
            work(kill)
        cloud.faults.clear()
        yield points
        if kill.call_count <= points:
            break


@dataclasses.dataclass
class Answer:
    """A response that Placement did not give."""

    status_code: int
    text: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def json(self) -> object:
        return json.loads(self.text)
