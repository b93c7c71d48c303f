# SPDX-License-Identifier: Apache-2.0
"""``requires``: the running version, and the data stored with a copy."""

import importlib.metadata
import json
import logging

import pytest
from packaging.version import Version

from nova_vhard.common.problems import PolicyError
from nova_vhard.policy import check, document, release, watch
from nova_vhard.policy.watch import PolicyFile, PolicyUnavailable
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
    importlib.reload(release)
    assert running == release.RUNNING
    monkeypatch.undo()
    importlib.reload(release)


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
        document.restore(kept["data"], str(state), kept["version"])
    assert [each.path for each in caught.value.problems] == ["requires"]


def test_what_all_files_require_fits_into_the_copy(tmp_path):
    base = ",".join(f"!=8.{minor}" for minor in range(60))
    own = ",".join(f"!=9.{minor}" for minor in range(60))
    write(tmp_path / "base.yaml", f'{HEAD}requires: "{base}"\n')
    text = f'{HEAD}extends: base.yaml\nrequires: "{own}"\n'
    reading = document.Reading(write(tmp_path / "policy.yaml", text))
    copy, faults = document.restore(reading.data, "copy", "1.0.0")
    assert not faults
    assert copy.digest == reading.good().digest


BEFORE = f"{HEAD}mode: warn\n"
BROKEN = f"{HEAD}mode: [\n"


def stricter(data):
    """Yield that mode warn is gone."""
    if data.get("mode") == "warn":
        yield ("mode",), "'warn' must be enforce"


@pytest.mark.parametrize("copy", [True, False], ids=["copy", "no copy"])
def test_a_rule_that_became_stricter_is_a_warning_first(
    tmp_path, monkeypatch, caplog, copy
):
    caplog.set_level(logging.WARNING, watch.LOG.name)
    state = tmp_path / "policy.json"
    path = write(tmp_path / "policy.yaml", BEFORE)
    if copy:
        PolicyFile(path, str(state)).current()
    monkeypatch.setattr(check, "deprecations", stricter)
    file = PolicyFile(path, str(state))
    assert (file.current().mode, file.error) == ("warn", None)
    text = f"{path}:2: mode: 'warn' must be enforce"
    assert caplog.messages == [text]
    (warning,) = document.Reading(path).warnings
    assert str(warning) == text


@pytest.fixture
def rule(monkeypatch):
    """Return a function that makes the rule an error, as a version has it."""
    real = check.conflicts

    def make(data, complete):
        yield from real(data, complete)
        yield from stricter(data)

    return lambda: monkeypatch.setattr(check, "conflicts", make)


@pytest.mark.parametrize(
    ("written", "runs", "holds"),
    [
        ("1.0.0", "1.1.0", True),
        ("1.1.0", "1.1.0", True),
        # it may be a rule that this version does not have
        ("1.2.0", "1.1.0", False),
        ("1.0.0", None, False),
        # of a package without a version
        (None, "0.9.0", True),
    ],
)
def test_a_good_copy_holds_in_a_stricter_version(
    running, rule, tmp_path, caplog, written, runs, holds
):
    caplog.set_level(logging.WARNING, watch.LOG.name)
    state = str(tmp_path / "policy.json")
    path = write(tmp_path / "policy.yaml", BEFORE)
    running(written)
    digest = PolicyFile(path, state).current().digest
    write(tmp_path / "policy.yaml", BROKEN)
    running(runs)
    rule()
    file = PolicyFile(path, state)
    if not holds:
        with pytest.raises(PolicyUnavailable):
            file.current()
        return
    for _ in range(2):
        assert file.current().digest == digest
    *_, outdated = caplog.records
    assert outdated.levelname == "ERROR"
    assert outdated.getMessage().startswith(
        "The last valid policy stays in force. As a file, this version "
        f"rejects it: {state}:1: mode: 'warn' must"
    )
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    "more", [{"version": "2"}, {"requires": ">=9"}], ids=str
)
def test_a_copy_of_another_schema_never_holds(running, tmp_path, more):
    running("1.1.0")
    with pytest.raises(PolicyError):
        document.restore({"version": "1", **more}, "copy", "1.0.0")


@pytest.mark.parametrize("runs", ["1.0.0", "1.1.0"])
def test_old_and_new_workers_share_a_copy(running, rule, tmp_path, runs):
    """The one that starts last, of either version, has what both had."""
    state = str(tmp_path / "policy.json")
    path = write(tmp_path / "policy.yaml", f"{HEAD}mode: audit\n")
    other = "1.1.0" if runs == "1.0.0" else "1.0.0"
    running(other)
    digest = PolicyFile(path, state).current().digest
    running(runs)
    rule()
    write(tmp_path / "policy.yaml", BROKEN)
    assert PolicyFile(path, state).current().digest == digest
