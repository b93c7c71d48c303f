# SPDX-License-Identifier: Apache-2.0
"""Hostile requests, and a service that they are sent to.

Requests are WSGI environments: written down, and from a seed. The service is
in a process of its own, with the gate and without.

A module that is run as ``python -m MODULE SETTINGS`` calls ``main``. Both
applications are loaded from one configuration and share its databases, which
are put back before each request. They log to a file, as in production.
"""

import contextlib
import gc
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import requests

from tests.benchmarks import client, common
from tests.benchmarks.abuse_cost import Cost, Finding
from tests.fuzz.mutate import Hang, Mutator, patience
from tests.fuzz.service import environment, sent

Odd = Callable[[Mutator], tuple[dict[str, Any], bytes]]

JSON = "application/json"
MIB = 1 << 20


@dataclass(frozen=True)
class Case:
    """A request.

    :ivar environ: other keys of the WSGI environment
    """

    name: str
    method: str
    path: str
    body: bytes = b""
    kind: str = JSON
    environ: Mapping[str, Any] = field(default_factory=dict)

    def made(self) -> dict[str, Any]:
        """Return the WSGI environment, with the body still to be read."""
        base = environment(self.method, self.path, self.body, self.kind)
        return sent({**base, **self.environ}, self.body)


def filled(entry: Callable[[int], Any], size: int) -> list[Any]:
    """Return as many entries as take so many bytes of JSON."""
    made: list[Any] = []
    left = size
    while left > 0:
        made.append(entry(len(made)))
        left -= len(json.dumps(made[-1])) + 2
    return made[:-1]


def seeded(odd: Odd, count: int, prefix: str, most: int) -> Iterator[Case]:
    """Yield odd requests; every other one has grown.

    :param odd: returns the environment and the body of one
    :param prefix: of the names
    :param most: bytes of a body
    """
    for number in range(count):
        mutator = Mutator(number)
        environ, body = odd(mutator)
        if number % 2:
            body = grown(mutator, body, most)
            environ["CONTENT_LENGTH"] = str(len(body))
        yield Case(
            f"{prefix}_random_{number}",
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            body,
            environ={
                name: value
                for name, value in environ.items()
                if name.isupper() and name != "PATH_INFO"
            },
        )


def grown(mutator: Mutator, body: bytes, most: int) -> bytes:
    """Return a JSON body with a place made large; any other as it is.

    A string or a list's items are repeated, or a value under new keys.

    :param most: bytes of what is returned, about
    """
    try:
        tree = json.loads(body)
        places = list(_places(tree))
        size = most - len(body)
        if not places or size <= 0:
            return body
        node, key = mutator.one_of(places)
        value = node[key]
        if isinstance(value, str) and value and mutator.chance(0.3):
            node[key] = value * (size // len(json.dumps(value)))
        elif isinstance(node, list):
            node += filled(lambda _: value, size)
        else:
            times = size // (len(json.dumps([key, value])) + 8)
            node |= {f"{key}{number}": value for number in range(times)}
        return json.dumps(tree).encode()
    except (ValueError, RecursionError):
        # No JSON, or nested so deep that it is hostile already.
        return body


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what holds a value, and under which key, for each value."""
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict | list):
            keys = node if isinstance(node, dict) else range(len(node))
            yield from ((node, key) for key in keys)
            nodes += [node[key] for key in keys]


#: An input is measured so often, while a try takes less than ``SLOW_S``.
TRIES, SLOW_S = 3, 0.5


def cheapest(spend: Callable[[], Cost]) -> Cost:
    """Return the cheapest of a few tries.

    Other load, and what a service logs now and then, only adds to them.
    """
    tries = [spend()]
    while len(tries) < TRIES and tries[-1].cpu_s < SLOW_S:
        tries.append(spend())
    return replace(
        min(tries, key=lambda cost: cost.cpu_s),
        size=min(cost.size for cost in tries),
    )


class Clock:
    """Counts the processor time of this process within its block."""

    def __enter__(self) -> "Clock":
        """Start, without the garbage of what was before."""
        gc.collect()
        self._start = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.seconds = time.process_time() - self._start


class Lookups:
    """Counts what this process asks of other services."""

    def __init__(self) -> None:
        """Wrap the connections of every HTTP client."""
        self.count = 0
        send = requests.adapters.HTTPAdapter.send

        def counted(*args: Any, **named: Any) -> Any:
            self.count += 1
            return send(*args, **named)

        requests.adapters.HTTPAdapter.send = counted


@dataclass
class Service:
    """The applications of a service.

    :ivar log: its log file
    :ivar databases: SQLite files that are to be as they are now
    :ivar token: of a request that has none
    """

    gate: Any
    plain: Any
    log: Path
    databases: list[Path]
    token: str

    def __post_init__(self) -> None:
        """Keep the databases."""
        self.lookups = Lookups()
        for file in self.databases:
            shutil.copy(file, file.with_suffix(".kept"))

    def find(self, cases: Iterable[Case]) -> list[Finding]:
        """Return what requests cost; each is shown to who waits."""
        result = []
        for case in cases:
            costs = [
                cheapest(lambda app=app, case=case: self._cost(app, case))
                for app in (self.gate, self.plain)
            ]
            result.append(Finding(case.name, *costs))
            common.progress(str(result[-1]))
        return result

    def _cost(self, app: Any, case: Case) -> Cost:
        for file in self.databases:
            shutil.copy(file.with_suffix(".kept"), file)
        logged, asked = self._logged(), self.lookups.count
        environ = {"HTTP_X_AUTH_TOKEN": self.token, **case.made()}
        environ["wsgi.errors"] = errors = io.StringIO()
        with Clock() as clock:
            status, size = answered(app, environ)
        size += len(errors.getvalue()) + self._logged() - logged
        asked = self.lookups.count - asked
        return Cost(clock.seconds, size, status, asked)

    def _logged(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0


def answered(app: Any, environ: dict[str, Any]) -> tuple[int, int]:
    """Return the status of an answer and its bytes.

    A server answers 500 to what comes out of the whole pipeline; that stands
    for no answer in time, too.
    """
    result: list[str] = []
    try:
        with patience():
            parts = app(environ, lambda status, *_: result.append(status))
            size = sum(len(part) for part in parts)
            with contextlib.suppress(AttributeError):
                parts.close()
    except (Exception, Hang):
        return 500, 0
    return int(result[-1].split()[0]), size


def main(find: Callable[..., Iterable[Finding]]) -> None:
    """Save the findings of a service where ``run`` reads them.

    :param find: is called with the directory and the settings
    """
    file = Path(sys.argv[1])
    settings = json.loads(file.read_text())
    home = Path(settings.pop("directory"))
    os.chdir(home)
    # What ends this process is to be seen, not logged.
    sys.excepthook = sys.__excepthook__
    result = [asdict(finding) for finding in find(home, **settings)]
    file.with_suffix(".found").write_text(json.dumps(result))
    # Glance would want to end threads that it has never had.
    os._exit(0)


def found(
    service: Service, warm_up: Case, cases: Iterable[Case]
) -> list[Finding]:
    """Return what requests cost, after one that is not measured."""
    service.find([warm_up])
    gc.freeze()  # what stays is not looked through before each request
    return service.find(cases)


def run(module: str, directory: Path, **settings: Any) -> list[Finding]:
    """Run a module that calls ``main``; return what it finds.

    :param settings: for the module
    :raises RuntimeError: if it ends badly
    """
    file = directory / "settings.json"
    file.write_text(json.dumps({"directory": str(directory), **settings}))
    command = [sys.executable, "-W", "ignore", "-m", module, str(file)]
    with (directory / "output").open("w") as output:
        # Progress is for who waits; what else is written is not.
        done = subprocess.run(
            command, cwd=client.ROOT, stdout=output, check=False
        )
    if done.returncode:
        raise RuntimeError(f"{module} ends with {done.returncode}")
    return [
        Finding(each["name"], Cost(**each["gate"]), Cost(**each["plain"]))
        for each in json.loads(file.with_suffix(".found").read_text())
    ]
