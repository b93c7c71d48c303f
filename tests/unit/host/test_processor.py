# SPDX-License-Identifier: Apache-2.0
"""Reports about processors, beside the cases in cases/processor.yaml."""

import json
import os
import re

import pytest

from nova_vhard.cmd import reporter
from nova_vhard.host.cpu import cpu_threads, guest_cpus, vulnerabilities
from nova_vhard.host.cpu.vulnerabilities import State
from nova_vhard.host.root import HostRoot, Unreadable
from tests.trees import build
from tests.unit.host.hardened import GOOD, words


@pytest.mark.parametrize(
    ("text", "apart", "state"),
    [
        ("Not affected", False, State.CLOSED),
        ("Mitigation: CSV2, BHB", False, State.CLOSED),
        ("Mitigation: CSV2, but not BHB", False, State.OPEN),
        ("KVM: Mitigation: VMX disabled", False, State.CLOSED),
        ("Processor vulnerable", False, State.OPEN),
        ("Vulnerable: Clear CPU buffers attempted, no microcode", 0, "open"),
        ("Mitigation: Clear CPU buffers; SMT vulnerable", False, State.OPEN),
        ("Mitigation: Clear CPU buffers; SMT vulnerable", True, State.CLOSED),
        ("Vulnerable; SMT vulnerable", True, State.OPEN),
        (
            "Mitigation: Clear CPU buffers; SMT Host state unknown",
            True,
            State.UNKNOWN,
        ),
        ("Unknown: Dependent on hypervisor status", False, State.UNKNOWN),
        ("Mitigation: Retpolines; BHI: Vulnerable, KVM: SW loop", 0, "closed"),
        ("Mitigation: Retpolines; BHI: Vulnerable", False, State.OPEN),
        # spectre_v2_user=off: no barrier between two guests
        ("Mitigation: Retpolines; IBPB: disabled; RSB filling", 0, "open"),
        ("Mitigation: Retpolines; IBPB: conditional", False, State.CLOSED),
        # the words of kernels before 6.6
        ("Mitigation: safe RET, no microcode", True, State.OPEN),
        # tsa=user: nothing is cleared on the way out of a guest
        ("Mitigation: Clear CPU buffers: user/kernel boundary", 0, "open"),
        ("Mitigation: Clear CPU buffers: VM", False, State.CLOSED),
        # indirect_target_selection=vmexit: nothing has to be done for guests
        ("Mitigation: Vulnerable, KVM: Not affected", False, State.CLOSED),
        ("Vulnerable, KVM: Not affected", False, State.CLOSED),
        ("Vulnerable, KVM: Vulnerable", False, State.OPEN),
        # gather_data_sampling=force: what is gathered from is not there
        ("Mitigation: AVX disabled, no microcode", False, State.CLOSED),
        ("Something new", False, State.UNKNOWN),
        ("", False, State.UNKNOWN),
    ],
)
def test_the_kernels_words(text, apart, state):
    assert vulnerabilities.state("mds", text, apart) is State(state)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        # a processor, or another hypervisor, without the barrier
        ("Mitigation: Retpolines; STIBP: disabled", State.OPEN),
        ("Mitigation: Full generic retpoline", State.OPEN),
        ("Mitigation: Enhanced / Automatic IBRS; RSB filling", State.OPEN),
        ("Mitigation: LFENCE", State.OPEN),
        ("Mitigation: Retpolines; IBPB: disabled", State.OPEN),
        ("Mitigation: Retpolines; IBPB: always-on", State.CLOSED),
        # the words of kernels before 4.19
        ("Mitigation: Full generic retpoline, IBPB, IBRS_FW", State.CLOSED),
        # other architectures, which have none
        ("Mitigation: CSV2, BHB", State.CLOSED),
        ("Mitigation: Software count cache flush", State.CLOSED),
        ("Mitigation: execute trampolines", State.CLOSED),
        ("Not affected", State.CLOSED),
    ],
)
def test_a_barrier_between_guests_that_no_word_is_on(text, state):
    assert vulnerabilities.state("spectre_v2", text) is state
    assert vulnerabilities.state("retbleed", "Mitigation: IBRS") is (
        State.CLOSED
    )


@pytest.fixture
def checked(tmp_path):
    """Return what checks a host, open to mds, by an entry of an option."""
    root = build(tmp_path / "root", {**GOOD, **words(mds="Vulnerable")})
    conf = tmp_path / "reporter.conf"

    def check(entry):
        conf.write_text(
            f"[vhard_reporter]\naccepted_vulnerabilities = {entry}\n"
        )
        command = ["--config-file", str(conf), "check", "--root", root]
        return reporter.main([*command, "-f", "json"])

    return check


def test_an_option_names_what_is_accepted(checked, capsys):
    assert checked("mds: one customer") == 2
    results = json.loads(capsys.readouterr().out)["results"]
    result = {each["check"]: each for each in results}["cpu_mitigations"]
    assert result["status"] == "PASS"
    assert any(
        "(accepted: one customer)" in line for line in result["evidence"]
    )


@pytest.mark.parametrize("entry", ["mds", "mds:", "MDS: why", ": why"])
def test_no_name_is_accepted_without_a_reason(checked, capsys, entry):
    assert checked(entry) == 1
    captured = capsys.readouterr()
    assert not captured.out
    (line,) = captured.err.splitlines()
    assert "accepted_vulnerabilities" in line


def test_a_list_that_is_longer_than_any_kernels():
    """It would be counted out for minutes."""
    with pytest.raises(ValueError, match="more processors"):
        cpu_threads.cpu_set("0-99999," * 60_000)


def test_a_process_that_lists_no_processors_is_not_judged(monkeypatch):
    """Nothing that may run nowhere is taken for one that runs where it may."""
    root = HostRoot()
    (listed,) = guest_cpus._of_process(root, str(os.getpid()))
    assert cpu_threads.cpu_set(listed) >= os.sched_getaffinity(0)
    monkeypatch.setattr(guest_cpus, "_ALLOWED", re.compile("another word"))
    with pytest.raises(Unreadable, match="lists no processors"):
        guest_cpus._of_process(root, str(os.getpid()))
