# SPDX-License-Identifier: Apache-2.0
"""A gate with no router behind it, or with another one, does not start."""

import configparser
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nova_vhard.gates import routing
from tests import faults
from tests.functional.glance import service
from tests.functional.glance.wire import User

API, ROOT = "composite:api", "composite:rootapp"


Change = Callable[[configparser.RawConfigParser], None]


def opaque_factory(global_conf: Any, **local_conf: str) -> Callable[..., Any]:
    """Return a paste filter that hides the application it wraps."""
    return lambda application: lambda *arguments: application(*arguments)


def started(directory: Path, path: Path, change: Change) -> Any:
    """Start Glance with its paste file changed."""
    paste = configparser.RawConfigParser()
    paste.optionxform = str  # type: ignore[assignment, method-assign]
    paste.read(directory / "glance-api-paste.ini")
    change(paste)
    with path.open("w") as stream:
        paste.write(stream)
    return service.load(path)


def test_a_filter_that_hides_the_router(
    directory: Path, tmp_path: Path
) -> None:
    def hide(paste: Any) -> None:
        paste["filter:opaque"] = {
            "paste.filter_factory": f"{__name__}:opaque_factory",
            "filter-with": "vhard",
        }
        paste[ROOT]["filter-with"] = "opaque"

    with pytest.raises(routing.NoRouter) as raised:
        started(directory, tmp_path / "paste.ini", hide)
    why = str(raised.value)
    assert "(found: function)" in why
    assert f"[{ROOT}]" in why
    assert "glance-api-paste.ini" in why


def test_the_gates_own_place(directory: Path, tmp_path: Path) -> None:
    """The check of the above: nothing else keeps it down."""
    assert started(directory, tmp_path / "paste.ini", lambda paste: None)


def test_a_gate_before_the_context(
    directory: Path, tmp_path: Path, plain: User
) -> None:
    """It starts, and cannot tell who asks."""

    def misplace(paste: Any) -> None:
        del paste[ROOT]["filter-with"]
        for flavor, pipeline in paste[API].items():
            paste[API][flavor] = re.sub(
                r"\bcontext ", "vhard context ", pipeline
            )

    app = started(directory, tmp_path / "paste.ini", misplace)
    with faults.errors() as logged:
        response = plain.of(app).create(hw_disk_bus="virtio")
    assert response.status_int == 503
    assert "because of an internal error" in response.text
    assert len(logged) == 1
    assert plain.images() == []


def test_a_controller_of_another_name(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glance.api.v2 import images

    class Renamed(images.ImagesController):
        """The method under a new name, as in another release of Glance."""

    monkeypatch.setattr(images, "ImagesController", Renamed)
    with pytest.raises(routing.NoRouter) as raised:
        started(directory, tmp_path / "paste.ini", lambda paste: None)
    for method in ("create", "update"):
        assert f"('ImagesController', '{method}')" in str(raised.value)
    assert "releases" in str(raised.value)
