# SPDX-License-Identifier: Apache-2.0
"""``requires``: the running version, and the data stored with a copy."""

import importlib.metadata
import json

import pytest
from packaging.version import Version

from nova_vhard.common.problems import PolicyError
from nova_vhard.policy import document, release
from nova_vhard.policy.watch import PolicyFile
from tests.unit.helpers import write

HEAD = 'version: "1"\n'


@pytest.fixture
def running(monkeypatch):
    """Return a function that sets the running version."""

    def run(version):
        value = version and Version(version)
        monkeypatch.setattr(release, "RUNNING", value)

    return run


@pytest.mark.parametrize(
    ("installed", "running"),
    [("1.2.0.dev5+g1", Version("1.2.0")), ("odd", None), (None, None)],
)
def test_the_version_that_runs_has_no_suffix(monkeypatch, installed, running):
    def version(name):
        if installed is None or name != "nova-vhard":
            raise importlib.metadata.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert release.installed() == running


@pytest.mark.parametrize(
    ("version", "wanted", "good"),
    [
        ("1.1.0", ">=1.1", True),
        ("1.1.0", ">=1.0,<2", True),
        ("1.0.0", ">=1.1", False),
        ("2.0.0", ">=1.0,<2", False),
        # not known
        (None, ">=1.0", False),
    ],
)
def test_versions(running, tmp_path, version, wanted, good):
    running(version)
    text = f'{HEAD}requires: "{wanted}"\nmode: audit\n'
    path = write(tmp_path / "policy.yaml", text)
    if good:
        assert document.load(path).mode == "audit"
    else:
        with pytest.raises(PolicyError) as caught:
            document.load(path)
        (problem,) = caught.value.problems
        assert (problem.line, problem.path) == (2, "requires")
        runs = version or "an unknown version"
        assert f"{wanted}' and {runs} runs: " in problem.message


@pytest.fixture
def chain(tmp_path):
    """A policy that extends another; each needs a version."""
    write(tmp_path / "base.yaml", f'{HEAD}requires: ">=1.1"\n')
    text = f'{HEAD}requires: ">=1.0,<2"\nextends: base.yaml\n'
    return write(tmp_path / "policy.yaml", text)


def test_versions_that_two_files_need_add_up(running, chain):
    running("1.1.0")
    reading = document.Reading(chain)
    assert reading.data["requires"] == "<2,>=1.0,>=1.1"
    stated = reading.tree["requires"]
    assert (stated.file, stated.line) == (chain, 2)


@pytest.mark.parametrize("own", ["", 'requires: ">=1.0"\n'])
@pytest.mark.parametrize("base", ["", 'requires: ">=1.0"\n'])
def test_what_one_file_needs_is_left_as_it_is_written(
    running, tmp_path, own, base
):
    running("1.1.0")
    write(tmp_path / "base.yaml", f"{HEAD}{base}")
    text = f"{HEAD}{own}extends: base.yaml\n"
    data = document.Reading(write(tmp_path / "policy.yaml", text)).data
    assert data.get("requires") == (">=1.0" if own or base else None)


def test_a_copy_of_a_newer_version_is_not_used_by_an_older_one(
    running, chain, tmp_path
):
    """This holds even if the outermost file alone is compatible."""
    state = tmp_path / "state" / "policy.json"
    running("1.1.0")
    PolicyFile(chain, str(state)).current()
    running("1.0.0")
    kept = json.loads(state.read_text())
    with pytest.raises(PolicyError) as caught:
        document.restore(kept["data"], str(state))
    assert [each.path for each in caught.value.problems] == ["requires"]


def test_what_all_files_require_fits_into_the_copy(tmp_path):
    base = ",".join(f"!=8.{minor}" for minor in range(60))
    own = ",".join(f"!=9.{minor}" for minor in range(60))
    write(tmp_path / "base.yaml", f'{HEAD}requires: "{base}"\n')
    text = f'{HEAD}extends: base.yaml\nrequires: "{own}"\n'
    reading = document.Reading(write(tmp_path / "policy.yaml", text))
    copy = document.restore(reading.data, "copy")
    assert copy.digest == reading.good().digest
