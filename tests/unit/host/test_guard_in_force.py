# SPDX-License-Identifier: Apache-2.0
"""guard_in_force: proofs with a time, beside the cases in cases/guard.yaml."""

import datetime
import json

import pytest

from nova_vhard.conf import guard
from nova_vhard.guard import probe
from nova_vhard.host.check import Status
from nova_vhard.host.checks.guard_in_force import GuardInForce
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import guard_proof
from nova_vhard.host.root import HostRoot
from tests.trees import build

PROOF = f"{guard_proof.FOLDER}/{guard_proof.FILE}"
GUARDED = probe.Proof(True, "libvirt asks the guard")


def run(root, content):
    return GuardInForce().run(Host(HostRoot(build(root, content))))


def proof(folder, result=GUARDED, mode="enforce", seconds=0.0):
    """Return what a daemon leaves, written some seconds ago."""
    probe.leave(str(folder), result, mode, 1800)
    content = json.loads((folder / guard_proof.FILE).read_text())
    time = datetime.datetime.now(datetime.UTC)
    time -= datetime.timedelta(seconds=seconds)
    return content | {"time": time.isoformat()}


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({}, Status.PASS, "refuses"),
        ({"mode": "warn"}, Status.FAIL, "mode warn"),
        ({"mode": "audit"}, Status.FAIL, "mode audit"),
        ({"mode": "disabled"}, Status.FAIL, "mode disabled"),
        (
            {"result": probe.Proof(False, "no storage file")},
            Status.FAIL,
            "without asking",
        ),
        ({"seconds": 1790}, Status.PASS, "refuses"),
        ({"seconds": 1810}, Status.UNKNOWN, "may not be running"),
        ({"seconds": -3600}, Status.UNKNOWN, "may not be running"),
    ],
)
def test_a_proof(tmp_path, changes, status, text):
    content = {
        PROOF: json.dumps(proof(tmp_path, **changes)),
        guard_proof.HOOK: "#!/bin/sh",
    }
    result = run(tmp_path / "root", content)
    assert result.status is status
    assert text in result.reason
    assert any(PROOF in fact for fact in result.evidence)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"time": "now"},
        {"time": "2026-01-01T00:00:00"},
        {"valid": "x"},
        {"valid": 1e300},
        {"mode": None, "time": None},
    ],
)
def test_a_proof_that_makes_no_sense(tmp_path, change):
    text = json.dumps(proof(tmp_path) | change)
    assert run(tmp_path / "root", {PROOF: text}).status is Status.UNKNOWN


def test_the_proof_is_where_the_guard_leaves_it():
    defaults = {option.dest: option.default for option in guard.OPTS}
    assert defaults["run_dir"] == guard_proof.FOLDER
    assert guard_proof.HOOK.startswith(defaults["hooks_dir"])
