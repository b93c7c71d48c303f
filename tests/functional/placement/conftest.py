# SPDX-License-Identifier: Apache-2.0
"""The real Placement in the test process."""

import importlib.util
import pathlib
import uuid
from collections.abc import Iterable, Iterator

import pytest

MISSING = importlib.util.find_spec("placement") is None
SAMPLE = "HW_CPU_X86_AVX2"
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
def cloud() -> Iterator["Cloud"]:
    """Return a Placement of its own, with an empty database."""
    fixture = Cloud()
    with fixture:
        yield fixture


@pytest.fixture
def acting(cloud):
    """Return what makes the next requests those of roles."""
    from keystoneauth1 import adapter
    from placement import policy as placement_policy

    conf = cloud._fixture.conf_fixture.conf
    placement_policy.reset()
    conf.set_override("policy_file", str(POLICY), "oslo_policy")
    placement_policy.init(conf, suppress_deprecation_warnings=True)
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
    cloud._adapter = admin


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

    @property
    def placement(self):
        """Our own module, speaking to this Placement."""
        from nova_vhard.placement.client import Placement

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
        import json

        return json.loads(self.text)
