# SPDX-License-Identifier: Apache-2.0
"""Nova's shipped paste file and a policy file, in a directory of their own."""

import configparser
import functools
import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nova_vhard.gates import nova_api

GATE = "nova_vhard.gates.nova_api:filter_factory"
FILTER = "nova_vhard.gates.scheduler.VirtHardeningFilter"
#: The gate, which a test can bypass.
SWITCHED_GATE = "tests.functional.nova.service:switched_gate"
STOCK_FILTERS = "nova.scheduler.filters.all_filters"
APPLICATION = "app:osapi_compute_app_v21"

#: ``fake`` is what Nova's FakeDriver says of its hypervisor.
HEADER = """\
version: "1"
extends: baseline
applies_to: {hypervisor_type: [QEMU, KVM, fake]}
"""


class Switch:
    """Whether requests go through the gate of Nova's API."""

    on = True


def switched_gate(*global_conf: Any, **local_conf: str) -> Callable[..., Any]:
    """Return the gate, as a paste filter, with a switch in front of it."""

    def build(app: Any) -> Callable[..., Any]:
        gate = nova_api.filter_factory(*global_conf, **local_conf)(app)
        return lambda *request: (gate if Switch.on else app)(*request)

    return build


@functools.cache
def shipped_paste_file() -> Path:
    """Return api-paste.ini as the installed Nova ships it."""
    for file in importlib.metadata.files("nova") or []:
        if file.name == "api-paste.ini":
            return Path(str(file.locate())).resolve()
    raise FileNotFoundError("api-paste.ini of the installed Nova")


def paste_file(target: Path, gate: str | None) -> Path:
    """Write the shipped paste file with a gate around the application.

    :param gate: a paste filter factory; None leaves Nova as it ships
    """
    paste = configparser.RawConfigParser()
    paste.optionxform = str  # type: ignore[assignment, method-assign]
    paste.read(shipped_paste_file())
    if gate:
        paste["filter:vhard"] = {"paste.filter_factory": gate}
        paste[APPLICATION]["filter-with"] = "vhard"
    with target.open("w") as stream:
        paste.write(stream)
    return target


def write_policy(path: Path, text: str, header: str = HEADER) -> None:
    """Put a policy in place at once, as a careful operator would."""
    draft = path.with_suffix(".new")
    draft.write_text(header + text)
    os.replace(draft, path)
