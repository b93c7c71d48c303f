# SPDX-License-Identifier: Apache-2.0
"""Files that other tools read: bindep.txt, zuul.d, the constraints."""

import configparser
import re
import subprocess

import pytest
import yaml

from tests.unit.docs import ROOT

BINDEP = (ROOT / "bindep.txt").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^([^ #]+) \[(.+?)\]", BINDEP, re.MULTILINE))


def wanted(script):
    """Return the packages that a script installs."""
    text = (ROOT / script).read_text(encoding="utf-8")
    lists = re.findall(r"wanted\+?=\(\s*(.*?)\)", text, re.DOTALL)
    lines = [line for part in lists for line in part.splitlines()]
    return {word for line in lines for word in line.split("#")[0].split()}


@pytest.mark.parametrize(
    "profile",
    ["attestation", "deploy", "emulated", "host", "integration", "qemu"],
)
def test_a_profile_has_what_its_script_installs(profile):
    packages = wanted(f"tests/{profile}/prepare.sh")
    assert packages
    assert packages == {
        name for name, words in ROWS.items() if profile in words.split()
    }


def test_ci_finds_the_packages_of_its_profile():
    (script,) = re.findall(
        r"sed -n '(.+)' bindep\.txt",
        (ROOT / ".ci" / "run").read_text(encoding="utf-8"),
    )
    done = subprocess.run(
        ["sed", "-n", script, ROOT / "bindep.txt"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    assert {len(row) for row in rows} == {2}
    assert {package for package, _ in rows} == {
        name for name, words in ROWS.items() if "ci" in words.split()
    }
    assert ["chromium-driver", "chromedriver"] in rows


def test_every_job_of_zuul_is_an_environment_of_tox():
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    envs = {name.partition(":")[2] for name in tox.sections()}
    envs |= set(tox["tox"]["env_list"].replace(" ", "").split(","))
    jobs = yaml.safe_load((ROOT / "zuul.d" / "jobs.yaml").read_text())
    names = {row["job"]["name"]: row["job"] for row in jobs}
    for job in names.values():
        if not job.get("abstract"):
            assert job["vars"]["tox_envlist"] in envs
    (project,) = yaml.safe_load((ROOT / "zuul.d/project.yaml").read_text())
    listed = set(project["project"]["check"]["jobs"])
    assert listed == {n for n, job in names.items() if not job.get("abstract")}


def test_constraints_of_the_caller_are_honoured():
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    default = re.search(r"TOX_CONSTRAINTS_FILE:\{toxinidir\}/([^}]+)\}", tox)
    text = (ROOT / default[1]).read_text(encoding="utf-8")
    assert all(line.startswith("#") for line in text.splitlines())
    venv = (ROOT / "tools" / "lib" / "venv.sh").read_text(encoding="utf-8")
    assert "TOX_CONSTRAINTS_FILE" in venv
