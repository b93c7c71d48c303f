# SPDX-License-Identifier: Apache-2.0
"""python -m tests.dashboard.versions [NAME ...]: the plugin in each Horizon.

For each version, create an environment with Horizon and no other service, run
the tests that need no browser in it, and run the others in Chromium against
that Horizon on one cloud, one version after the other. The table is rewritten
after each version. The exit status is 1 if a test failed. If versions are
named, only these are run; the others keep the rows of their last run.
"""

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

# The cloud is a tool of its own: see __init__.py.
from cloud import place
from cloud.cloud import Cloud

_ROOT = pathlib.Path(__file__).parents[2]
_ENVIRONMENTS = _ROOT / ".cache" / "horizon"
_TABLE = _ROOT / "doc" / "source" / "contributor" / "dashboard-versions.inc"
_FOLDER = "tests/dashboard"
#: What runs in Horizon's own environment; the rest speaks to it by a browser.
_INSIDE = (f"{_FOLDER}/test_middleware.py", f"{_FOLDER}/test_contents.py")
_PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:warnings")
_HEAD = """\
.. Written by ``tox -e dashboard-versions``; do not edit.

.. list-table::
   :header-rows: 1

   * - Horizon
     - Django
     - Python
     - Passed
     - Failed
     - Day
"""


@dataclasses.dataclass(frozen=True)
class Version:
    """A Horizon.

    :ivar release: whose libraries it runs on, of tests/versions
    :ivar older: without constraints pip takes what is newer than a Horizon
        knows
    """

    below: str
    python: str
    release: str
    older: tuple[str, ...] = ("Django<6",)


VERSIONS = {
    "25.3": Version("25.4", "python3.11", "2025.1"),
    "25.5": Version("25.6", "python3.11", "2025.2"),
    "25.7": Version("25.8", "python3.11", "2026.1"),
    # With oslo.policy 6 members of a project may not see its images there.
    "26": Version("27", "python3.13", "newest", ("Django<6", "oslo.policy<6")),
    "27": Version("28", "python3.13", "newest"),
}


def main(wanted: list[str]) -> int:
    """Run the versions; return the status to end with."""
    unknown = set(wanted) - set(VERSIONS)
    if unknown:
        names = ", ".join(VERSIONS)
        print(f"{', '.join(sorted(unknown))}: not one of {names}")
        return 2
    good = True
    with _cloud() as cloud:
        for name in wanted or list(VERSIONS):
            print(f"-- Horizon {name}", flush=True)
            good &= _run(cloud, name)
            _TABLE.write_text(_table())
    return 0 if good else 1


@contextlib.contextmanager
def _cloud() -> Iterator[Cloud]:
    stored = place.Place(_ROOT / ".cloud-dashboard")
    stored.take()
    cloud = Cloud(stored, print)
    cloud.up(dashboard=True, horizon=str(_python(next(iter(VERSIONS)))))
    try:
        yield cloud
    finally:
        cloud.down()
    shutil.rmtree(stored.root)


def _run(cloud: Cloud, name: str) -> bool:
    """Return whether all tests of a version passed."""
    _row(name).unlink(missing_ok=True)
    python = _python(name)
    inside = _pytest(name, "inside", python, "--noconftest", *_INSIDE)
    _serve(cloud, python)
    ignored = [f"--ignore={path}" for path in _INSIDE]
    outside = _pytest(
        name,
        "outside",
        pathlib.Path(sys.executable),
        *("--forbid-skips", _FOLDER, *ignored),
        NOVA_VHARD_CLOUD=str(cloud.place.root),
    )
    row = {**_installed(python), "day": _today()}
    row |= {part: inside[part] + outside[part] for part in inside}
    _row(name).write_text(json.dumps(row))
    return not row["failed"] and bool(outside["passed"])


def _serve(cloud: Cloud, python: pathlib.Path) -> None:
    """Replace the cloud's Horizon with that of an environment."""
    cloud.daemons.stop("dashboard")
    shutil.rmtree(cloud.place.home("dashboard"), ignore_errors=True)
    cloud.facts = dataclasses.replace(cloud.facts, horizon=str(python))
    cloud.start("dashboard")


def _python(name: str) -> pathlib.Path:
    """Make the environment of a version, or renew it; return its Python."""
    version, folder = VERSIONS[name], _ENVIRONMENTS / name
    python = folder / "bin" / "python"
    if not python.exists():
        make = (version.python, "-m", "venv", str(folder))
        subprocess.run(make, check=True)
    constraints = f"tests/versions/{version.release}.txt"
    horizon = f"horizon>={name},<{version.below}"
    pip = (str(python), "-m", "pip", "install", "--quiet", "-c", constraints)
    # django-debreach wants distutils, which setuptools brings.
    more = (*version.older, "waitress", "pytest", "setuptools", "-e", ".")
    subprocess.run((*pip, horizon, *more), check=True, cwd=_ROOT)
    return python


def _pytest(
    name: str,
    part: str,
    python: pathlib.Path,
    *arguments: str,
    **environment: str,
) -> dict[str, int]:
    """Run tests; return how many passed and failed.

    :param part: of the version's run, for the name of a file
    """
    report = _ENVIRONMENTS / f"{name}-{part}.xml"
    report.unlink(missing_ok=True)
    command = (str(python), *_PYTEST, f"--junitxml={report}", *arguments)
    environment = {**os.environ, "NOVA_VHARD_DASHBOARD": "1", **environment}
    subprocess.run(command, check=False, cwd=_ROOT, env=environment)
    if not report.exists():
        return {"passed": 0, "failed": 1}
    counts = ElementTree.parse(report).getroot().find("testsuite").attrib
    bad = int(counts["failures"]) + int(counts["errors"])
    skipped = int(counts["skipped"])
    return {"passed": int(counts["tests"]) - bad - skipped, "failed": bad}


def _installed(python: pathlib.Path) -> dict[str, str]:
    """Return the versions of an environment."""
    code = (
        "import importlib.metadata as m, json, platform; print(json.dumps("
        "{'horizon': m.version('horizon'), 'django': m.version('Django'), "
        "'python': platform.python_version()}))"
    )
    done = subprocess.run(
        (str(python), "-c", code), check=True, capture_output=True
    )
    return dict(json.loads(done.stdout))


def _today() -> str:
    return str(datetime.datetime.now(datetime.UTC).date())


def _row(name: str) -> pathlib.Path:
    return _ENVIRONMENTS / f"{name}.json"


def _table() -> str:
    """Return the part of a page with the rows that runs have left."""
    return _HEAD + "".join(_line(name) for name in VERSIONS)


def _line(name: str) -> str:
    columns = ("horizon", "django", "python", "passed", "failed", "day")
    try:
        row: dict[str, Any] = json.loads(_row(name).read_text())
    except FileNotFoundError:
        row = dict.fromkeys(columns, "") | {"horizon": f"{name}: not run"}
    cells = [str(row[column]) for column in columns]
    first, *others = [f"{cell}".rstrip() for cell in cells]
    lines = [f"   * - {first}", *(f"     - {cell}" for cell in others)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
