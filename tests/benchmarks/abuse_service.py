# SPDX-License-Identifier: Apache-2.0
"""A service in a process of its own, with the gate and without.

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
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks import client, common
from tests.benchmarks.abuse_case import Case
from tests.benchmarks.abuse_cost import Cost, Finding, load
from tests.benchmarks.abuse_meter import Clock, Lookups, measure
from tests.fuzz.mutate import Hang, patience


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
    lookups: Lookups = field(default_factory=Lookups)

    def __post_init__(self) -> None:
        """Keep the databases."""
        for file in self.databases:
            shutil.copy(file, file.with_suffix(".kept"))

    def find(self, cases: Iterable[Case]) -> list[Finding]:
        """Return what requests cost; each is shown to who waits."""
        result = []
        for case in cases:
            costs = [
                measure(lambda app=app, case=case: self._cost(app, case))
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


def main(
    settings: Path, service: Service, warm_up: Case, cases: Iterable[Case]
) -> None:
    """Save the findings of a service where ``run`` reads them.

    :param settings: the file that the module was given
    :param warm_up: a request that is not measured
    """
    # What ends this process is to be seen, not logged.
    sys.excepthook = sys.__excepthook__
    service.find([warm_up])
    gc.freeze()  # what stays is not looked through before each request
    result = [finding.saved() for finding in service.find(cases)]
    settings.with_suffix(".found").write_text(json.dumps(result))
    # Glance would want to end threads that it has never had.
    os._exit(0)


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
        load(saved)
        for saved in json.loads(file.with_suffix(".found").read_text())
    ]
