# SPDX-License-Identifier: Apache-2.0
"""The commands of README and quick start, run as written there.

``tests/ran.py`` lists those that are run here, and where the others are run.
"""

import contextlib
import json
import logging
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from openstackclient import shell

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.cmd import status
from nova_vhard.status import probe
from tests import ran
from tests.functional.glance.shell import forget_clients
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


#: Programs that run in this process: tests/functional/cli runs the real one.
HERE = {"openstack": shell.main, "nova-vhard-status": status.main}


@pytest.fixture
def run(demo: Any, prepared: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """Give a function: run a user's command; return status and output."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level

    def run(*words: str, user: str = ran.ADMIN) -> tuple[int, str]:
        environment = getattr(demo, user).environment()
        program = HERE.get(words[0])
        if program is None:
            file = Path(sys.executable).with_name(words[0])
            done = subprocess.run(
                [file, *words[1:]],
                env=environment,
                cwd=prepared,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
            )
            return done.returncode, done.stdout
        forget_clients()
        capfd.readouterr()
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            contextlib.chdir(prepared),
        ):
            code = program(list(words[1:]))
        return code, "".join(capfd.readouterr())

    yield run
    # The command sets up logging to a stream that is captured per test.
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.mark.parametrize("command", SHOWN)
def test_a_command_on_the_demo(demo: Any, run: Any, command: str) -> None:
    # given
    how = ran.ON_THE_DEMO[command]
    log = str(demo.cloud.place.logs / "nova.log")
    words = [
        log if each == ".demo/logs/nova.log" else each
        for each in shlex.split(command)
    ]
    # when
    code, printed = run(*words, user=how.user)
    # then
    assert code == how.status, printed
    assert "Traceback" not in printed
    for output in SHOWN[command]:
        assert commands.alike(printed) == commands.alike(output)


def test_the_outputs_of_the_readme_are_compared() -> None:
    assert sum(map(len, SHOWN.values())) == 2


def test_this_very_host(run: Any) -> None:
    program = "nova-vhard-reporter"
    code, printed = run(program, "check", "--policy", "baseline")
    # Whatever it has proven.
    assert code in (0, 1), printed
    assert "Traceback" not in printed
    for name in CHECKS:
        assert name in printed


def checks(printed: str) -> dict[str, Any]:
    """Return the rows of nova-vhard-status, by the names of the checks."""
    rows = json.loads(printed[printed.index("{") :])["checks"]
    return {each["check"]: each for each in rows}


def test_the_demos_node(demo: Any, run: Any) -> None:
    # given the files of the demo, which are not below /etc
    place = demo.cloud.place
    files = [
        f"--nova-config-file={place.home('nova')}/nova.conf",
        f"--glance-config-file={place.home('glance')}/glance-api.conf",
        f"--placement-config-file={place.home('placement')}/placement.conf",
        f"--reporter-config-file={place.home('compute1')}/reporter.conf",
    ]
    # when
    command = ("nova-vhard-status", *files, "upgrade", "check", "--json")
    code, printed = run(*command)
    # then
    assert "Traceback" not in printed
    result = checks(printed)
    assert set(result) == set(status.CHECKS)
    gates = ("Nova API gate", "Glance API gate", "Glance import gate")
    for name in ("Scheduler filter", *gates, "Placement", "Access rules"):
        assert result[name]["result"] == 0, result[name]
    assert code == max(each["result"] for each in result.values())


def test_the_demos_apis_are_probed(demo: Any, run: Any, home: Path) -> None:
    place = demo.cloud.place
    files = [
        f"--nova-config-file={place.home('nova')}/nova.conf",
        f"--glance-config-file={place.home('glance')}/glance-api.conf",
        f"--policy={home}/policy.yaml",
        "--times=2",
    ]
    code, printed = run("nova-vhard-status", *files, "probe", "--json")
    assert code == 0, printed
    details = [each["details"] for each in checks(printed).values()]
    assert len(details) == 3
    for each in details:
        assert "2 of 2 refused by the gate" in each


@pytest.mark.parametrize(
    ("log", "policy", "ended", "says"),
    [
        ("nova.log", "policy.yaml", 0, "was judged by the scheduler, by"),
        ("nova.log", "another.yaml", 1, "which this command reads"),
        ("story.log", "policy.yaml", 2, "was judged by no scheduler"),
        ("gone.log", "policy.yaml", 1, "cannot see it"),
    ],
)
def test_the_demos_scheduler_is_probed(
    demo: Any,
    run: Any,
    home: Path,
    log: str,
    policy: str,
    ended: int,
    says: str,
) -> None:
    place = demo.cloud.place
    (home / "another.yaml").write_text('version: "1"\nextends: strict\n')
    (place.logs / "story.log").touch()
    wanted = {
        "policy.yaml": place.policy,
        "another.yaml": home / "another.yaml",
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
    code, printed = run(*words)
    assert code == ended, printed
    assert says in printed
    servers = demo.admin.compute().servers
    demo.cloud.until(
        "the server of the probe is deleted",
        lambda: probe.NAME not in {x.name for x in servers(all_projects=True)},
    )
