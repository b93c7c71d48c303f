# SPDX-License-Identifier: Apache-2.0
"""Files that other tools read: bindep.txt, zuul.d, the constraints."""

import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
import yaml

from tests.unit.docs import ROOT

BINDEP = (ROOT / "bindep.txt").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^([^ #]+) \[(.+?)\]", BINDEP, re.MULTILINE))
BUILD = """
import sys
from setuptools import build_meta
dist = sys.argv[1]
build_meta.build_sdist(dist)
build_meta.build_wheel(dist)
"""
#: Where a recipe names our version: 1.1.0, or 1.2.0-dev0.
NAMED = re.compile(
    r"(?:vhard\S*?[-=:]+|^version: )(\d+\.\d+\.\d+(?:[.-]dev\d+)?)", re.M
)


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
    out = subprocess.check_output(
        ["sed", "-n", script, ROOT / "bindep.txt"], text=True
    )
    rows = [line.split() for line in out.splitlines()]
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
    names = {
        row["job"]["name"]: row["job"]["vars"]["tox_envlist"]
        for row in jobs
        if not row["job"].get("abstract")
    }
    assert {*names.values()} <= envs
    (project,) = yaml.safe_load((ROOT / "zuul.d/project.yaml").read_text())
    assert {*project["project"]["check"]["jobs"]} == names.keys()


def test_constraints_of_the_caller_are_honoured():
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    default = re.search(r"TOX_CONSTRAINTS_FILE:\{toxinidir\}/([^}]+)\}", tox)
    text = (ROOT / default[1]).read_text(encoding="utf-8")
    assert all(line.startswith("#") for line in text.splitlines())
    venv = (ROOT / "tools" / "lib" / "venv.sh").read_text(encoding="utf-8")
    assert "TOX_CONSTRAINTS_FILE" in venv


def version():
    setup = configparser.RawConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup["metadata"]["version"]


def test_a_build_without_git_has_the_version_and_every_file(tmp_path):
    """As from a tarball of the source; a tag is not asked for either."""
    source, dist = tmp_path / "source", tmp_path / "dist"
    command = ["git", "-C", ROOT, "ls-files", "--cached", "--others"]
    names = subprocess.check_output(
        [*command, "--exclude-standard"], text=True
    ).splitlines()
    listed = {name for name in names if (ROOT / name).is_file()}
    for name in listed:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD, dist],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    name = f"nova_vhard-{version()}"
    with tarfile.open(dist / f"{name}.tar.gz") as sdist:
        packed = {m.name for m in sdist.getmembers() if m.isfile()}
        described = sdist.extractfile(f"{name}/PKG-INFO").read().decode()
    assert f"\nVersion: {version()}\n" in described
    assert {f"{name}/{each}" for each in listed - {".gitignore"}} <= packed
    with zipfile.ZipFile(dist / f"{name}-py3-none-any.whl") as wheel:
        described = wheel.read(f"{name}.dist-info/METADATA").decode()
        packed = set(wheel.namelist())
    assert f"\nVersion: {version()}\n" in described
    etc = f"{name}.data/data/etc"
    assert packed >= {
        each.replace("etc", etc, 1) if each.startswith("etc/") else each
        for each in listed
        if each.startswith(("nova_vhard", "etc/"))
    }


@pytest.mark.parametrize(
    "name",
    [
        *("galaxy.yml", "README.rst", "kolla-build.conf"),
        *("user_nova_vhard.yml", "control-plane.yaml"),
    ],
)
def test_recipes_name_the_version_of_the_source(name):
    named = {
        found.replace("-", ".")
        for path in (ROOT / "deploy").glob(f"[!p]*/**/{name}")
        for found in NAMED.findall(path.read_text(encoding="utf-8"))
    }
    assert named == {version()}


def test_packages_have_the_version_of_the_source():
    """In the form that dpkg and rpm sort before the release."""
    packages = ROOT / "deploy" / "packages"
    wanted = version().replace(".dev", "~dev")
    changelog = (packages / "debian/changelog").read_text(encoding="utf-8")
    assert changelog.startswith(f"nova-vhard ({wanted}-1) ")
    spec = (packages / "nova-vhard.spec").read_text(encoding="utf-8")
    assert re.search(r"^Version: +(\S+)$", spec, re.M)[1] == wanted
    assert f"- {wanted}-1\n" in spec
