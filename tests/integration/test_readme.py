# SPDX-License-Identifier: Apache-2.0
"""Tests of the commands that README and quick start show.

The tests start their own cloud, ``.cloud``: the script itself is tested.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nova_vhard.catalogue.checks import CHECKS
from tests import ran
from tests.unit import commands
from tests.unit.docs import README, ROOT, SOURCE

QUICK_START = SOURCE / "quick-start.rst"
_THIS = f"tests/integration/{Path(__file__).name}"
#: Commands of the page's cloud, in their order, and what it shows of each.
CLOUD = {
    command: output
    for command, output in commands.sessions(QUICK_START)
    if ran.ELSEWHERE.get(command) == f"{_THIS}::test_a_command_on_the_cloud"
}
#: What ``up`` tells to type next.
SAID = re.findall("^    (.*openstack .*)$", CLOUD["tools/cloud.sh up"], re.M)
_MARK = "@@ "
#: Where the outputs of the page end before those of the commands do.
_MORE = "…"


def environment(*first):
    """Return a person's: without the tests' own, with directories first."""
    own = str(Path(sys.executable).parent)
    path = [each for each in os.environ["PATH"].split(":") if each != own]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OS_", "VIRTUAL_ENV", "PYTHON"))
    }
    return {**kept, "PATH": ":".join([*map(str, first), *path])}


def shell(script, env=None):
    """Run lines of bash in the checkout; return all that they print."""
    return subprocess.run(
        ["bash"],
        input=script,
        cwd=ROOT,
        env=env or environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    ).stdout


def typed(lines, env=None):
    """Type commands one after the other into one shell.

    :returns: command to its exit status and what it printed
    """
    script = "".join(
        f'echo "{_MARK}"\n{line} </dev/null\necho "{_MARK}$?"\n'
        for line in lines
    )
    parts = re.split(f"^{_MARK}", shell(script, env), flags=re.M)[1:]
    return {
        line: (int(status), printed.removeprefix("\n"))
        for line, printed, status in zip(
            lines, parts[::2], parts[1::2], strict=True
        )
    }


@pytest.fixture(scope="module")
def session():
    """Everything that is typed, with what came of it."""
    image = ROOT / "router.img"
    assert not image.exists()
    # Made beforehand, if need be: what the cloud's commands run in.
    before = shell("tools/cloud.sh status\n")
    assert before.endswith("There is no cloud.\n"), before
    lines = list(CLOUD)
    after = lines.index(". .cloud/rc") + 1
    try:
        yield typed([*lines[:after], *SAID, *lines[after:]])
    finally:
        shell("tools/cloud.sh down\n")
        image.unlink(missing_ok=True)


@pytest.mark.parametrize("command", [*CLOUD, *SAID])
def test_a_command_on_the_cloud(session, command):
    status, printed = session[command]
    shown, *more = CLOUD.get(command, "").split(_MORE)
    refused = "Forbidden" in shown
    assert status == int(refused), printed
    if more or command in SAID:
        assert commands.alike(printed).startswith(commands.alike(shown))
    else:
        assert commands.alike(printed) == commands.alike(shown)


def test_what_up_tells_to_type_is_typed():
    assert len(SAID) == 2
    assert len(CLOUD) == 7


@pytest.mark.parametrize(
    ("command", "status", "last"),
    [
        ("tools/demo.sh", 0, r"(\d+) of \1 steps passed"),
        ("tools/demo.sh --without-gates", 1, r"\d+ refusals are missing"),
    ],
)
def test_the_demo(command, status, last):
    assert command in commands.shown(QUICK_START)
    ((result, printed),) = typed([command]).values()
    assert result == status, printed
    assert re.search(last, printed)


def test_the_packages_that_root_installs():
    (command,) = [
        each
        for each in commands.shown(QUICK_START)
        if each.startswith("apt-get") and "rabbitmq" in each
    ]
    # They are there already, or the other tests could not have run.
    program, verb, *packages = shlex.split(command)
    tried = shlex.join([program, "--simulate", verb, *packages])
    ((status, printed),) = typed([tried]).values()
    assert status == 0, printed
    assert "0 newly installed, 0 to remove" in printed


def test_what_is_installed_runs(tmp_path):
    # given a person whose Python is a fresh one
    own = tmp_path / "client"
    subprocess.run([sys.executable, "-m", "venv", own], check=True)
    assert commands.literal(README) == ["python3 -m pip install ."]
    (install,) = (
        line for line in commands.shown(QUICK_START) if "[client]" in line
    )
    lines = [
        each.replace("/opt", str(tmp_path))
        for each in commands.shown(QUICK_START)
        if "/opt/" in each and not each.endswith(" facts")
    ]
    assert len(lines) == 3
    # when
    again = [install, "openstack vhard policy show baseline"]
    last = "python3 -c 'import nova'"
    result = typed([*lines, *again, last], environment(own / "bin"))
    # then all is there, and neither Nova nor Glance
    status, printed = result.pop(last)
    assert status == 1
    assert "No module named 'nova'" in printed
    status, printed = result.pop(lines[-1])
    assert status in (0, 1), printed
    assert all(name in printed for name in CHECKS)
    for command, (status, printed) in result.items():
        assert status == 0, (command, printed)
