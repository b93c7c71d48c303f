# SPDX-License-Identifier: Apache-2.0
"""Glance's own WSGI application, with and without the gate.

Both applications come from Glance's shipped paste file and share one
configuration and one database: what the gate refuses is put in place, and
what got stored is read, through the application without it (``plain``).
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from nova_vhard.conf import vhard
from tests import services
from tests.functional.glance import quick, service
from tests.functional.glance.keystone import Keystone
from tests.functional.glance.shell import openstack
from tests.functional.glance.wire import User

__all__ = ["openstack"]

# Nova's tests may run in this process later, and Glance looks for eventlet.
services.choose_threads()

BASELINE = 'version: "1"\nextends: baseline\n'

MakeUser = Callable[..., User]


@pytest.fixture(scope="package")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a directory with Glance's configuration and database in it."""
    pytest.importorskip("glance", reason="Glance is not installed")
    from glance.db.sqlalchemy import api as database
    from glance.db.sqlalchemy import models, models_metadef

    quick.install()
    home = tmp_path_factory.mktemp("glance")
    configuration = service.write(home, service.GATE)
    (home / "vhard.yaml").write_text(BASELINE)
    service.configure(configuration)
    database.clear_db_env()
    # The result of glance-manage db sync, without a child process.
    for tables in (models, models_metadef):
        tables.register_models(database.get_engine())
    yield home
    database.clear_db_env()
    cfg.CONF.reset()


@pytest.fixture(scope="package")
def plain_app(directory: Path) -> Any:
    """Give Glance as it ships, without the gate."""
    return service.load(service.paste_file(directory / "plain.ini", None))


@pytest.fixture(scope="package")
def baseline_app(directory: Path) -> Any:
    """Give Glance with the gate, under the shipped baseline."""
    return service.load(directory / "glance-api-paste.ini")


@pytest.fixture
def plain(plain_app: Any) -> User:
    """Give a user of a new project, at Glance without the gate."""
    return User(plain_app)


@pytest.fixture
def gated(plain: User, baseline_app: Any) -> User:
    """Give the same user, at Glance with the gate under baseline."""
    return plain.of(baseline_app)


@pytest.fixture
def override() -> Iterator[Callable[..., None]]:
    """Give a function that sets an option until the end of the test."""
    with contextlib.ExitStack() as stack:

        def put(name: str, value: Any, group: str | None = None) -> None:
            cfg.CONF.set_override(name, value, group)
            stack.callback(cfg.CONF.clear_override, name, group)

        yield put


@pytest.fixture
def policy_file(
    directory: Path, tmp_path: Path, override: Callable[..., None]
) -> Path:
    """Give the path of a policy of the test's own; nothing is there yet."""
    vhard.register(cfg.CONF)
    (tmp_path / "state").mkdir()
    override("policy_file", str(tmp_path / "vhard.yaml"), "vhard")
    override("state_path", str(tmp_path / "state"), "vhard")
    return tmp_path / "vhard.yaml"


@pytest.fixture
def under(policy_file: Path, directory: Path, plain: User) -> MakeUser:
    """Give a function: the same user, at a new Glance under this policy.

    The text follows ``version: "1"`` and ``extends: baseline``; None leaves
    the file as it is.
    """

    def user(policy: str | None = "") -> User:
        if policy is not None:
            policy_file.write_text(BASELINE + policy)
        return plain.of(service.load(directory / "glance-api-paste.ini"))

    return user


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Give a function: let every HTTP client here reach an application."""
    for name in ("OS_CLOUD", "OS_AUTH_TYPE", "OS_TOKEN", "OS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    intercept = pytest.importorskip("wsgi_intercept")
    from wsgi_intercept import urllib3_intercept

    urllib3_intercept.install()

    def at(app: Any, host: str = "glance.example") -> None:
        intercept.add_wsgi_intercept(host, 80, lambda: app)

    yield at
    intercept.remove_wsgi_intercept()
    urllib3_intercept.uninstall()


@pytest.fixture
def cloud(gated: User, put: Callable[..., None]) -> None:
    """Let every HTTP client in this process reach Glance and a Keystone."""
    put(Keystone(gated.project), "keystone.example")
    put(gated.app)
