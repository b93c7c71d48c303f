# SPDX-License-Identifier: Apache-2.0
"""The commands of README and quick start, run as written there.

``tests/ran.py`` lists those that are run here, and where the others are run.
"""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.cmd import status
from nova_vhard.conf.vhard import POLICY_FILE
from nova_vhard.status import probe
from tests import ran
from tests.unit import commands
from tests.unit.docs import README, SOURCE, blocks

PAGES = (README, SOURCE / "quick-start.rst")
#: Each command with the outputs that pages show of it.
SHOWN: dict[str, list[str]] = {each: [] for each in ran.ON_THE_DEMO}
for page in PAGES:
    for shown, output in commands.sessions(page):
        if shown in SHOWN and output.strip():
            SHOWN[shown].append(output)


@pytest.fixture(scope="package")
def prepared(home: Path) -> Path:
    """Give the directory, with the files that the commands name."""
    (policy,) = blocks(SOURCE / "quick-start.rst", "yaml")
    (home / "policy.yaml").write_text(policy)
    (home / "router.img").write_bytes(bytes(1 << 20))
    return home


def run(demo: Any, home: Path, words: list[str], user: str) -> Any:
    """Run a command of a user's, in that user's environment."""
    program = Path(sys.executable).with_name(words[0])
    return subprocess.run(
        [program, *words[1:]],
        env=getattr(demo, user).environment(),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("command", SHOWN)
def test_a_command_on_the_demo(
    demo: Any, prepared: Path, command: str
) -> None:
    # given
    how = ran.ON_THE_DEMO[command]
    log = str(demo.cloud.place.logs / "nova.log")
    words = [
        log if each == ".demo/logs/nova.log" else each
        for each in shlex.split(command)
    ]
    # when
    done = run(demo, prepared, words, how.user)
    # then
    assert done.returncode == how.status, done.stdout
    assert "Traceback" not in done.stdout
    for output in SHOWN[command]:
        assert commands.alike(done.stdout) == commands.alike(output)


def test_the_outputs_of_the_readme_are_compared() -> None:
    assert sum(map(len, SHOWN.values())) == 2


def test_the_policy_that_commands_read_by_themselves() -> None:
    assert f"``{POLICY_FILE}``" in PAGES[1].read_text(encoding="utf-8")


def test_this_very_host(demo: Any, prepared: Path) -> None:
    words = ["nova-vhard-reporter", "check", "--policy", "baseline"]
    done = run(demo, prepared, words, ran.ADMIN)
    # Whatever it has proven.
    assert done.returncode in (0, 1), done.stdout
    assert "Traceback" not in done.stdout
    for name in CHECKS:
        assert name in done.stdout


def test_the_demos_node(demo: Any, prepared: Path) -> None:
    # given the files of the demo, which are not below /etc
    place = demo.cloud.place
    files = [
        f"--nova-config-file={place.home('nova')}/nova.conf",
        f"--glance-config-file={place.home('glance')}/glance-api.conf",
        f"--placement-config-file={place.home('placement')}/placement.conf",
        f"--reporter-config-file={place.home('compute1')}/reporter.conf",
    ]
    # when
    command = ["nova-vhard-status", *files, "upgrade", "check", "--json"]
    done = run(demo, prepared, command, ran.ADMIN)
    # then
    assert "Traceback" not in done.stdout
    text = done.stdout[done.stdout.index("{") :]
    result = {each["check"]: each for each in json.loads(text)["checks"]}
    assert set(result) == set(status.CHECKS)
    gates = ("Nova API gate", "Glance API gate", "Glance import gate")
    for name in ("Scheduler filter", *gates, "Placement", "Access rules"):
        assert result[name]["result"] == 0, result[name]
    assert done.returncode == max(each["result"] for each in result.values())


def test_the_demos_apis_are_probed(demo: Any, prepared: Path) -> None:
    place = demo.cloud.place
    files = [
        f"--nova-config-file={place.home('nova')}/nova.conf",
        f"--glance-config-file={place.home('glance')}/glance-api.conf",
        f"--policy={prepared}/policy.yaml",
        "--times=2",
    ]
    command = ["nova-vhard-status", *files, "probe", "--json"]
    done = run(demo, prepared, command, ran.ADMIN)
    assert done.returncode == 0, done.stdout
    text = done.stdout[done.stdout.index("{") :]
    rows = json.loads(text)["checks"]
    assert len(rows) == 3
    for row in rows:
        assert "2 of 2 refused by the gate" in row["details"]


def names_of_servers(demo: Any) -> set[str]:
    compute = demo.admin.compute()
    return {server.name for server in compute.servers(all_projects=True)}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("log", "policy", "status", "says"),
    [
        ("nova.log", "policy.yaml", 0, "was judged by the scheduler, by"),
        ("nova.log", "another.yaml", 1, "which this command reads"),
        ("story.log", "policy.yaml", 2, "was judged by no scheduler"),
        ("gone.log", "policy.yaml", 1, "cannot see it"),
    ],
)
def test_the_demos_scheduler_is_probed(
    demo: Any, prepared: Path, log: str, policy: str, status: int, says: str
) -> None:
    place = demo.cloud.place
    (prepared / "another.yaml").write_text('version: "1"\nextends: strict\n')
    (place.logs / "story.log").touch()
    wanted = {
        "policy.yaml": place.policy,
        "another.yaml": prepared / "another.yaml",
    }
    image = demo.admin.image.find_image("clean", ignore_missing=False)
    words = [
        "nova-vhard-status",
        f"--nova-config-file={place.home('nova')}/nova.conf",
        f"--policy={wanted[policy]}",
        f"--probe-image={image.id}",
        "--probe-flavor=1",
        f"--scheduler-log={place.logs / log}",
        "probe-scheduler",
        "--json",
    ]
    done = run(demo, prepared, words, ran.ADMIN)
    assert done.returncode == status, done.stdout
    assert says in done.stdout
    until(lambda: probe.NAME not in names_of_servers(demo))
