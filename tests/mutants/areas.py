# SPDX-License-Identifier: Apache-2.0
"""Areas to mutate, the share of mutants drawn, and the tests that must fail.

The tests of an area run for each of its mutants (those of them that reach the
function), so they must be quick: a test that boots a guest is too slow.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Area:
    """A package of nova_vhard.

    :ivar count: mutants that are drawn
    :ivar tests: files and folders with its tests
    """

    name: str
    count: int
    tests: tuple[str, ...]

    @property
    def files(self) -> list[str]:
        """Return the patterns of its files."""
        rooms = _ROOMS.get(self.name, (self.name,))
        return [f"nova_vhard/{room}/*" for room in rooms]


#: Areas of more than the package that they are named after.
_ROOMS = {"policy": ("policy", "common")}


def _unit(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/{name}.py" for name in names)


def _fuzz(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/fuzz/test_fuzz_{name}.py" for name in names)


#: Nova's API without a compute: what a gate says, a second or two each.
_VERDICTS = tuple(
    f"tests/functional/nova/test_{name}.py"
    for name in (
        "candidates",
        "lookups",
        "request_spec",
        "schemas",
        "signatures",
        "verdicts",
    )
)
#: Parts of Nova's gates without any service of it: milliseconds.
_ALONE = tuple(
    f"tests/functional/nova/test_{name}.py"
    for name in (
        "api_alone",
        "devices_one_by_one",
        "filter_alone",
        "flavor_writes",
        "proven",
        "servers_read",
        "snapshots",
    )
)
_POLICY = (
    *_unit("test_document", "test_facts", "test_judge", "test_source"),
    *_unit("test_verdict", "test_watch", "test_defaults", "test_readers"),
    *_unit("test_docs", "test_notify", "test_log", "test_judge_texts"),
    *_unit("test_server_reader", "cli/test_cases", "cli/test_policy"),
    *_unit("cli/test_decision"),
    *_unit("cli/test_paste"),
    *_unit("exporter/test_metrics"),
    *_unit("test_server_exemptions", "host/test_running"),
    *_unit("test_domain_reader"),
    *_fuzz("scheduler"),
)
_EXPLAIN = (
    *_unit("explain/test_search", "test_judge", "test_verdict"),
    *_unit("cli/test_cases", "cli/test_policy"),
)
_REQUEST = (
    *_unit("test_defaults", "test_verdict", "test_readers"),
    *_unit("cli/test_cases", "test_server_reader", "test_domain_reader"),
    *_unit("guard/test_judge", "test_judge_texts", "explain/test_search"),
    *_fuzz("domain", "nova", "scheduler"),
    *_VERDICTS,
)
_GATES = (
    *_unit("test_judge", "test_verdict"),
    *_unit("test_notify", "test_posture"),
    *_fuzz("nova", "glance", "scheduler"),
    *_VERDICTS,
    *_ALONE,
    "tests/functional/nova/test_create.py",
    "tests/functional/glance/test_alone.py",
    "tests/functional/glance/test_saved.py",
)
#: Placement's own code in this process answers these.
_PLACEMENT = (
    *_unit("test_posture", "test_readers", "cli/test_status_files"),
    *_unit("cli/test_cases"),
    "tests/unit/reporter",
    *(
        f"tests/functional/placement/test_{name}.py"
        for name in (
            "attested_lies",
            "attestor",
            "cleaner",
            "enroll",
            "placement",
            "reporter",
            "rights",
            "sessions",
            "status",
        )
    ),
)
_ATTESTOR = (
    "tests/unit/attestor",
    *(
        f"tests/functional/placement/test_{name}.py"
        for name in ("attested_lies", "attestor", "sessions", "status")
    ),
)
AREAS = {
    area.name: area
    for area in (
        Area("policy", 200, _POLICY),
        Area("explain", 80, _EXPLAIN),
        Area("request", 80, _REQUEST),
        Area("gates", 120, _GATES),
        Area("placement", 60, _PLACEMENT),
        Area("attestor", 60, _ATTESTOR),
    )
}


def drawn(
    area: Area, names: Iterable[str], count: int, seed: int
) -> list[str]:
    """Return names of mutants, which the seed chooses.

    Each has a rank of its own, by its module, function and number: what comes
    and goes elsewhere, or moves to another package, changes no other's.

    :param names: of all mutants of the area, in any order
    :param count: how many; all of them if there are no more
    """

    def rank(name: str) -> bytes:
        module, _, function = name.rpartition(".")
        key = f"{seed}/{area.name}/{module.rpartition('.')[2]}.{function}"
        return hashlib.sha256(key.encode()).digest()

    return sorted(sorted(names, key=rank)[:count])
