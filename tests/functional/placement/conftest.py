# SPDX-License-Identifier: Apache-2.0
"""The real Placement in the test process."""

import copy
import datetime
import importlib.util
import io
import json
import logging
import pathlib
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from types import SimpleNamespace

import pytest
from oslo_config import cfg

from nova_vhard.catalogue import traits
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.placement import names
from nova_vhard.placement.client import Placement
from nova_vhard.placement.posture import Clock, Posture
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from tests.functional.placement import reports

MISSING = importlib.util.find_spec("placement") is None
#: Which role may do what in Placement, as we ship it.
POLICY = (
    pathlib.Path(__file__).parents[3]
    / "etc"
    / "nova-vhard"
    / "placement-policy.yaml"
)


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
        monkeypatch.setattr(names, "DAYS", 0)
        monkeypatch.setattr(names, "FEW_DAYS", 0)


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
    conf = cfg.ConfigOpts()
    conf([], project="test")
    reporter_conf.register(conf)
    conf.set_override("root", str(tmp_path), "vhard_reporter")
    return conf


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


class Time:
    """A clock that a test sets."""

    seconds = 1000.0

    def clock(self) -> Clock:
        """Return it, as a posture takes it."""
        return Clock(
            lambda: self.seconds,
            lambda: reports.NOW + (self.seconds - 1000) * reports.HOUR / 3600,
        )


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def posture(cloud, time):
    """Return what nova-scheduler knows of hosts, by that clock."""
    return Posture(lambda: Placement(cloud), 60, 600, time.clock())


@pytest.fixture
def openstack(cloud):
    """Return a function that runs a command of ``openstack vhard``.

    It returns the result of the command, or what it printed; ``client`` is
    what the command finds as ``client_manager.vhard``.
    """

    def run(kind, *words, client=None):
        out = io.StringIO()
        client = client or SimpleNamespace(placement=cloud.placement)
        manager = SimpleNamespace(vhard=client)
        app = SimpleNamespace(client_manager=manager, stdout=out, stderr=out)
        command = kind(app, SimpleNamespace())
        options = command.get_parser("test").parse_args(words)
        return command.take_action(options) or out.getvalue()

    return run


@pytest.fixture
def keystone():
    """Return a Keystone with the project and the roles that enroll needs."""
    from tests.functional.placement.keystone import service_cloud

    return service_cloud()


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

    def host(self, name: str, traits: Iterable[str] = ()) -> str:
        """Make a root provider with traits; return its uuid."""
        provider = str(uuid.uuid4())
        body = {"uuid": provider, "name": name}
        headers = {"OpenStack-API-Version": "placement 1.39"}
        response = self._adapter.post(
            "/resource_providers", json=body, headers=headers
        )
        assert response.status_code == 200, response.text
        self.give(provider, traits, response.json()["generation"])
        return provider

    def give(
        self,
        provider: str,
        traits: Iterable[str],
        generation: int | None = None,
    ) -> None:
        """Replace all traits of a provider, as anybody may.

        :param generation: of the provider; asked for by default
        """
        wanted = sorted(traits)
        for name in wanted:
            if name.startswith("CUSTOM_"):
                self.put(f"/traits/{name}", None, "1.39")
        if generation is None:
            generation = self.traits(provider)[1]
        body = {
            "traits": wanted,
            "resource_provider_generation": generation,
        }
        url = f"/resource_providers/{provider}/traits"
        response = self.put(url, body, "1.39")
        assert response.status_code == 200, response.text

    def traits(self, provider: str) -> tuple[set[str], int]:
        """Return a provider's traits and its generation."""
        url = f"/resource_providers/{provider}/traits"
        body = self.get(url, "1.39").json()
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


class Answer:
    """A response that Placement did not give."""

    def __init__(self, status_code: int, text: str = "") -> None:
        self.status_code = status_code
        self.text = text

    def json(self) -> object:
        return json.loads(self.text)
