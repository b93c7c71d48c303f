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
from xml.etree import ElementTree

# The cloud is a tool of its own: see __init__.py.
from cloud import place
from cloud.cloud import Cloud
from tests.list_table import list_table

_ROOT = pathlib.Path(__file__).parents[2]
_ENVIRONMENTS = _ROOT / ".cache" / "horizon"
_TABLE = _ROOT / "doc" / "source" / "contributor" / "dashboard-versions.inc"
_FOLDER = "tests/dashboard"
#: What runs in Horizon's own environment; the rest speaks to it by a browser.
_INSIDE = (f"{_FOLDER}/test_middleware.py", f"{_FOLDER}/test_contents.py")
_PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:warnings")
_HEAD = ".. Written by ``tox -e dashboard-versions``; do not edit.\n\n"
_COLUMNS = ("Horizon", "Django", "Python", "Passed", "Failed", "Day")
#: Prints the versions of an environment.
_ABOUT = (
    "import importlib.metadata as m, json, platform; print(json.dumps("
    "{'Horizon': m.version('horizon'), 'Django': m.version('Django'), "
    "'Python': platform.python_version()}))"
)


@dataclasses.dataclass(frozen=True)
class Version:
    """A Horizon.

    :ivar constraints: a file of tests/versions, or an absolute path
    :ivar older: without constraints pip takes what is newer than a Horizon
        knows
    """

    below: str
    python: str
    constraints: str
    older: tuple[str, ...] = ("Django<6",)


VERSIONS = {
    "25.3": Version("25.4", "python3.11", "2025.1.txt"),
    "25.5": Version("25.6", "python3.11", "2025.2.txt"),
    "25.7": Version("25.8", "python3.11", "2026.1.txt"),
    # With oslo.policy 6 members of a project may not see its images there.
    "26": Version(
        "27", "python3.13", os.devnull, ("Django<6", "oslo.policy<6")
    ),
    "27": Version("28", "python3.13", "newest.txt"),
}


def main(wanted: list[str]) -> int:
    """Run the versions; return the status to end with."""
    unknown = sorted(set(wanted) - set(VERSIONS))
    if unknown:
        print(f"{', '.join(unknown)}: not one of {', '.join(VERSIONS)}")
        return 2
    stored = place.Place(_ROOT / ".cloud-dashboard")
    stored.take()
    cloud = Cloud(stored, print)
    cloud.up(dashboard=True, horizon=str(_python(next(iter(VERSIONS)))))
    try:
        good = [_run(cloud, name) for name in wanted or VERSIONS]
    finally:
        cloud.down()
    shutil.rmtree(stored.root)
    return 0 if all(good) else 1


def _run(cloud: Cloud, name: str) -> bool:
    """Run a version and write the table; return whether all tests passed."""
    print(f"-- Horizon {name}", flush=True)
    row = _ENVIRONMENTS / f"{name}.json"
    row.unlink(missing_ok=True)
    python = _python(name)
    inside = _pytest(name, "inside", python, "--noconftest", *_INSIDE)
    _serve(cloud, python)
    outside = _pytest(
        name,
        "outside",
        pathlib.Path(sys.executable),
        *("--forbid-skips", _FOLDER),
        *(f"--ignore={path}" for path in _INSIDE),
        NOVA_VHARD_CLOUD=str(cloud.place.root),
    )
    failed = inside["Failed"] + outside["Failed"]
    result = {
        **json.loads(subprocess.check_output((python, "-c", _ABOUT))),
        "Passed": inside["Passed"] + outside["Passed"],
        "Failed": failed,
        "Day": str(datetime.datetime.now(datetime.UTC).date()),
    }
    row.write_text(json.dumps(result))
    _TABLE.write_text(_HEAD + list_table([_COLUMNS, *map(_cells, VERSIONS)]))
    return not failed and bool(outside["Passed"])


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
        subprocess.run((version.python, "-m", "venv", folder), check=True)
    pip = (
        *(str(python), "-m", "pip", "install", "--quiet"),
        *("-c", _ROOT / "tests" / "versions" / version.constraints),
        *(f"horizon>={name},<{version.below}", *version.older),
        # django-debreach wants distutils, which setuptools brings.
        *("waitress", "pytest", "setuptools", "-e", "."),
    )
    subprocess.run(pip, check=True, cwd=_ROOT)
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
        return {"Passed": 0, "Failed": 1}
    suite = ElementTree.parse(report).getroot().find("testsuite").attrib
    bad = int(suite["failures"]) + int(suite["errors"])
    passed = int(suite["tests"]) - bad - int(suite["skipped"])
    return {"Passed": passed, "Failed": bad}


def _cells(name: str) -> list[str]:
    """Return a version's row of the table, as its last run has left it."""
    row = {"Horizon": f"{name}: not run"}
    with contextlib.suppress(FileNotFoundError):
        row = json.loads((_ENVIRONMENTS / f"{name}.json").read_text())
    return [str(row.get(column, "")) for column in _COLUMNS]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
