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
    reading = document.Reading(path)
    faults = [(each.line, each.path) for each in reading.problems]
    assert faults == ([] if good else [(2, "requires")])
    assert (reading.policy is not None) is good


@pytest.fixture
def chain(tmp_path):
    """A policy that extends another; each needs a version."""
    write(tmp_path / "base.yaml", f'{HEAD}requires: ">=1.1"\n')
    text = f'{HEAD}requires: ">=1.0,<2"\nextends: base.yaml\n'
    return write(tmp_path / "policy.yaml", text)


ONE = 'requires: ">=1.0"\n'


@pytest.mark.parametrize(
    ("base", "own", "result"),
    [
        # one is left as it is written
        ("", "", None),
        (ONE, "", ">=1.0"),
        ("", ONE, ">=1.0"),
        (ONE, ONE, ">=1.0"),
        # two add up
        ('requires: ">=1.1"\n', 'requires: ">=1.0,<2"\n', "<2,>=1.0,>=1.1"),
    ],
)
def test_what_two_files_need(running, tmp_path, own, base, result):
    running("1.1.0")
    write(tmp_path / "base.yaml", f"{HEAD}{base}")
    text = f"{HEAD}{own}extends: base.yaml\n"
    reading = document.Reading(write(tmp_path / "policy.yaml", text))
    assert reading.data.get("requires") == result
    if own:
        stated = reading.tree["requires"]
        assert (stated.file, stated.line) == (f"{tmp_path}/policy.yaml", 2)


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
    ("text", "written", "runs", "holds"),
    [
        (BEFORE, "1.0.0", "1.1.0", True),
        (BEFORE, "1.1.0", "1.1.0", True),
        # it may be a rule that this version does not have
        (BEFORE, "1.2.0", "1.1.0", False),
        (BEFORE, "1.0.0", None, False),
        # of a package without a version
        (BEFORE, None, "0.9.0", True),
        # old and new workers share a copy that breaks no rule
        (f"{HEAD}mode: audit\n", "1.0.0", "1.1.0", True),
        (f"{HEAD}mode: audit\n", "1.1.0", "1.0.0", True),
    ],
)
def test_a_good_copy_holds_in_a_stricter_version(
    running, rule, tmp_path, caplog, text, written, runs, holds
):
    caplog.set_level(logging.ERROR, watch.LOG.name)
    state = str(tmp_path / "policy.json")
    path = write(tmp_path / "policy.yaml", text)
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
    start = (
        "The last valid policy stays in force. As a file, this version "
        f"rejects it: {state}:1: mode: 'warn' must"
    )
    outdated = caplog.messages[1:]
    assert [each.startswith(start) for each in outdated] == (
        [True] if text == BEFORE else []
    )


@pytest.mark.parametrize(
    "more", [{"version": "2"}, {"requires": ">=9"}], ids=str
)
def test_a_copy_of_another_schema_never_holds(running, tmp_path, more):
    running("1.1.0")
    with pytest.raises(PolicyError):
        document.restore({"version": "1", **more}, "copy", "1.0.0")
