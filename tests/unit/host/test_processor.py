# SPDX-License-Identifier: Apache-2.0
"""Tests of the kernel's own reports about processor and memory."""

import json
import os
import re

import pytest

from nova_vhard.catalogue.vulnerabilities import KNOWN
from nova_vhard.cmd import reporter
from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.cpu import cpu_threads, guest_cpus, vulnerabilities
from nova_vhard.host.cpu.vulnerabilities import State
from nova_vhard.host.host import Expected, Host
from nova_vhard.host.root import HostRoot, Unreadable
from tests.trees import FACTS, build, capture, facts
from tests.unit.host.hardened import (
    CPU,
    GOOD,
    INTEL,
    KSM,
    NESTED,
    VULNERABILITIES,
    guest,
    words,
)

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
CHECKS = {each.name: each for each in report.load()}
NAMES = ("cpu_mitigations", "smt", "memory_sharing", "nested_off", "microcode")


def run(name, root, **expected):
    host = Host(HostRoot(str(root)), expected=Expected(**expected))
    result = CHECKS[name].run(host)
    assert "check failed" not in result.reason
    assert bool(result.remediation) == (result.status in (FAIL, UNKNOWN))
    return result


@pytest.mark.parametrize("name", NAMES)
def test_a_host_that_shows_nothing_is_unknown(tmp_path, name):
    assert run(name, build(tmp_path, {})).status is UNKNOWN


@pytest.mark.parametrize("name", NAMES)
def test_what_may_not_be_read_is_unknown(tmp_path, name):
    errors = json.dumps(
        [
            [path, "EACCES"]
            for path in (VULNERABILITIES, f"{CPU}/smt", KSM, NESTED)
        ]
    )
    root = build(tmp_path, {**GOOD, "/ERRORS.json": errors})
    assert run(name, root).status is UNKNOWN


#: Captured machine to the answers, in the order of NAMES. Debian's 6.12 has
#: no list of microcode, and how much is merged was not captured. Emulated
#: processors have no barrier between two guests.
CAPTURED = {
    "amdvi": (FAIL, PASS, UNKNOWN, FAIL, UNKNOWN),
    "smmuv3": (FAIL, UNKNOWN, UNKNOWN, PASS, UNKNOWN),
    "apparmor-host": (FAIL, PASS, UNKNOWN, FAIL, UNKNOWN),
    "vtd-tpm": (FAIL, PASS, UNKNOWN, UNKNOWN, UNKNOWN),
}


@pytest.mark.parametrize("tree", CAPTURED)
def test_captured(tmp_path, tree):
    root = capture(tree, tmp_path)
    result = tuple(run(name, root).status for name in NAMES)
    assert result == CAPTURED[tree]


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


@pytest.mark.parametrize(
    ("changes", "status", "why"),
    [
        (words(mds="Vulnerable"), FAIL, "a guest can use mds"),
        (words(novel="Vulnerable"), UNKNOWN, "unknown to this version"),
        (words(novel="Not affected"), PASS, "are mitigated"),
        (words(srbds="Unknown: …"), UNKNOWN, "unknown state of srbds"),
        (words(meltdown="Vulnerable"), PASS, "are mitigated"),
        (words(old_microcode="Vulnerable"), PASS, "are mitigated"),
    ],
)
def test_what_counts_is_what_a_guest_can_use(tmp_path, changes, status, why):
    result = run("cpu_mitigations", build(tmp_path, {**GOOD, **changes}))
    assert result.status is status
    assert why in result.reason
    (name,) = changes
    shown = [line for line in result.evidence if line.startswith(name)]
    assert bool(shown) == ("old_microcode" not in name)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_kernel_that_is_older_than_a_vulnerability_is_unknown(
    tmp_path, name
):
    content = {**GOOD}
    del content[f"{VULNERABILITIES}/{name}"]
    result = run("cpu_mitigations", build(tmp_path, content))
    assert result.status is UNKNOWN
    assert result.reason == f"the kernel does not know {name}"
    assert "newer kernel" in result.remediation
    accepted = {name: "that processor has it not"}
    root = build(tmp_path, {})
    assert run("cpu_mitigations", root, vulnerabilities=accepted).status is (
        PASS
    )


def test_what_the_operator_accepts_passes_with_its_reason(tmp_path):
    root = build(tmp_path, {**GOOD, **words(mds="Vulnerable", new="Vulnera")})
    accepted = {"mds": "one customer\non it", "new": "looked up"}
    result = run("cpu_mitigations", root, vulnerabilities=accepted)
    assert result.status is PASS
    assert (
        f"{VULNERABILITIES}/mds: Vulnerable (accepted: one customeron it)"
        in (result.evidence)
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


def threads(**sets):
    """Return a host with two cores of two threads, and Nova's sets."""
    siblings = {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}
    content = {
        f"{CPU}/cpu{number}/{cpu_threads.SIBLINGS}": f"{text}\n"
        for number, text in siblings.items()
    }
    active = {f"{CPU}/smt/active": "1\n", f"{CPU}/smt/control": "on\n"}
    return {**content, **active, **facts(cpus=sets)}


@pytest.mark.parametrize(
    ("sets", "status"),
    [
        ({}, FAIL),
        ({"cpu_shared_set": "0,1"}, PASS),
        ({"cpu_shared_set": "0-3,^2-3"}, PASS),
        ({"cpu_shared_set": "0-2"}, FAIL),
        ({"cpu_shared_set": "0", "cpu_dedicated_set": "1"}, PASS),
        ({"cpu_shared_set": "0", "cpu_dedicated_set": "2"}, FAIL),
        ({"vcpu_pin_set": "0,1"}, PASS),
        ({"vcpu_pin_set": "0,2"}, FAIL),
        # Nova does not look at it beside the newer option.
        ({"vcpu_pin_set": "0-3", "cpu_dedicated_set": "1"}, PASS),
        ({"cpu_shared_set": "0,9"}, UNKNOWN),
        ({"cpu_shared_set": "many"}, UNKNOWN),
        ({"cpu_shared_set": "3-1"}, UNKNOWN),
    ],
)
def test_threads_are_apart_where_nova_gives_guests_one_of_each_core(
    tmp_path, sets, status
):
    content = {**GOOD, **threads(**sets)}
    content |= words(mds="Mitigation: Clear CPU buffers; SMT vulnerable")
    root = build(tmp_path, content)
    assert run("smt", root).status is status
    # What the kernel says of threads is closed by the same.
    result = run("cpu_mitigations", root)
    assert result.status is status
    assert result.evidence[0].startswith(f"{VULNERABILITIES}/")
    assert f"{cpu_threads.ACTIVE}: 1" in result.evidence
    # What is open without threads, too, is open whatever Nova gives.
    place = tmp_path / f"{VULNERABILITIES}/mds".lstrip("/")
    place.write_text("Vulnerable; SMT vulnerable\n")
    assert run("cpu_mitigations", root).status is FAIL


def switched(*off, active, control="on", **sets):
    """Return the same host with some processors switched off.

    Such a processor has no folder of its topology, and is in nobody's.
    """
    content = threads(**sets)
    for number in range(1, 4):
        content[f"{CPU}/cpu{number}/online"] = f"{int(number not in off)}\n"
    for number in off:
        del content[f"{CPU}/cpu{number}/{cpu_threads.SIBLINGS}"]
        other = f"{CPU}/cpu{number ^ 2}/{cpu_threads.SIBLINGS}"
        if other in content:
            content[other] = f"{number ^ 2}\n"
    content[f"{CPU}/smt/active"] = f"{active}\n"
    content[f"{CPU}/smt/control"] = f"{control}\n"
    return content


@pytest.mark.parametrize(
    ("content", "status"),
    [
        # Nova's cpu_state: idle, and both come back with the next guest
        (switched(2, 3, active=0, cpu_dedicated_set="1,3"), UNKNOWN),
        (switched(3, active=1, cpu_dedicated_set="1,3"), UNKNOWN),
        # known for certain of others
        (switched(3, active=1, cpu_dedicated_set="0,2,3"), FAIL),
        # Nova does not manage the processors that are off
        (switched(2, 3, active=0, cpu_shared_set="0,1"), PASS),
        (switched(2, 3, active=0), PASS),
        (switched(2, 3, active=0, control="forceoff"), PASS),
        (
            switched(2, 3, active=0, control="off", cpu_dedicated_set="1,3"),
            PASS,
        ),
        (switched(2, 3, active=0, control="notimplemented"), PASS),
        (switched(3, active=0, control="notimplemented"), FAIL),
        *(
            (switched(*off, active=0, control=control, **sets), status)
            # Nobody counts threads, or as many as Power may run a core.
            for control in ("notimplemented", "4")
            for off, sets, status in (
                ((2, 3), {}, PASS),
                ((2, 3), {"cpu_shared_set": "0,1"}, PASS),
                ((2, 3), {"cpu_dedicated_set": "1,3"}, UNKNOWN),
            )
        ),
        # One thread of each core alone, as the step says.
        (switched(active=0, control="notimplemented"), FAIL),
        (
            switched(active=0, control="notimplemented", cpu_shared_set="0,1"),
            PASS,
        ),
        (
            switched(active=0, control="notimplemented", cpu_shared_set="0,2"),
            FAIL,
        ),
    ],
)
def test_a_processor_that_is_switched_off_can_come_back(
    tmp_path, content, status
):
    result = run("smt", build(tmp_path, {**GOOD, **content}))
    assert result.status is status
    if status is UNKNOWN:
        assert "is offline" in result.reason
        assert "cpu_power_management_strategy" in result.remediation


def running(pid, *allowed, name="CPU 0/KVM"):
    """Return a guest: where its process may run, and its processors."""
    status = "Name:\t{}\nCpus_allowed:\tff\nCpus_allowed_list:\t{}\n"
    texts = {"": status.format("qemu-system-x86", allowed[0])}
    for number, text in enumerate(allowed[1:], 1):
        texts[f"/task/{number}"] = status.format(name, text)
    return {
        **guest(pid),
        **{f"/proc/{pid}{key}/status": text for key, text in texts.items()},
    }


@pytest.mark.parametrize(
    ("content", "status"),
    [
        # As Nova starts them now.
        (running(71, "0,1", "0", "1") | running(72, "0-1"), PASS),
        # From before Nova's sets, which name one thread of each core.
        (running(71, "0-3"), FAIL),
        (running(71, "0-127"), FAIL),
        (running(71, "2"), FAIL),
        (running(71, "0-1", "0", "3"), FAIL),
        # A thread of QEMU's own runs nothing of the guest's.
        (running(71, "0-3", "0", "1"), PASS),
        (running(71, "0-1", "0-3", name="IO iothread1"), PASS),
        # Both threads of a core are of one guest, which has it alone.
        (running(71, "4-5"), PASS),
        (running(71, "4") | running(72, "5"), FAIL),
        (running(71, "4-5") | running(72, "4-5"), FAIL),
        # A capture that did not keep it.
        (guest(71, status="Name:\tx\n"), PASS),
        ({"/proc/71/cmdline": None}, UNKNOWN),
        (running(71, "0-,1"), UNKNOWN),
        (running(71, "0-999999"), UNKNOWN),
    ],
)
def test_guests_that_run_since_before_nova_was_told(tmp_path, content, status):
    more = {f"{CPU}/cpu{n}/{cpu_threads.SIBLINGS}": "4-5\n" for n in (4, 5)}
    whole = {**GOOD, **threads(cpu_shared_set="0,1"), **more, **content}
    result = run("smt", build(tmp_path, whole))
    assert result.status is status
    if status is FAIL:
        assert "vm71, process 71" in result.reason
        assert "--hard" in result.remediation


def test_an_older_pre_step_did_not_look(tmp_path):
    content = threads()
    left = json.loads(content[FACTS])
    del left["compute"]
    content[FACTS] = json.dumps(left)
    root = build(tmp_path, {**GOOD, **content})
    result = run("smt", root)
    assert result.status is UNKNOWN
    assert "nova-vhard-reporter facts" in result.remediation


@pytest.mark.parametrize(
    ("siblings", "status"),
    [
        (("0", "1"), PASS),
        (("0-1", "0-1"), FAIL),
        (("no", "1"), UNKNOWN),
        # Longer than any kernel's, and counted out for minutes.
        (("0-99999," * 60_000, "1"), UNKNOWN),
    ],
)
def test_an_architecture_whose_threads_are_not_counted(
    tmp_path, siblings, status
):
    content = {
        f"{CPU}/cpu{number}/{cpu_threads.SIBLINGS}": f"{text}\n"
        for number, text in enumerate(siblings)
    }
    content[f"{CPU}/smt/control"] = f"{cpu_threads.NOT_COUNTED}\n"
    assert run("smt", build(tmp_path, {**GOOD, **content})).status is status


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({f"{KSM}/run": "0", f"{KSM}/pages_sharing": "0"}, PASS),
        ({f"{KSM}/run": "0", f"{KSM}/pages_sharing": "7"}, FAIL),
        ({f"{KSM}/run": "0"}, UNKNOWN),
        # The kernel has not taken all of it apart yet.
        ({f"{KSM}/run": "2", f"{KSM}/pages_sharing": "7"}, FAIL),
        ({f"{KSM}/run": "2", f"{KSM}/pages_sharing": "0"}, PASS),
        # with use_zero_pages, empty pages are merged and counted apart
        (
            {
                f"{KSM}/run": "0",
                f"{KSM}/pages_sharing": "0",
                f"{KSM}/ksm_zero_pages": "3",
            },
            FAIL,
        ),
        (
            {
                f"{KSM}/run": "0",
                f"{KSM}/pages_sharing": "0",
                f"{KSM}/ksm_zero_pages": "0",
            },
            PASS,
        ),
        ({f"{KSM}/run": "3"}, UNKNOWN),
        ({"/sys/kernel/mm/hugepages": None}, PASS),
        ({KSM: None}, UNKNOWN),
    ],
)
def test_what_is_merged(tmp_path, content, status):
    assert run("memory_sharing", build(tmp_path, content)).status is status


ARM = {
    "/proc/cpuinfo": "CPU implementer\t: 0x41\n",
    "/sys/module/kernel": None,
}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({"/sys/module/kvm_amd/parameters/nested": "0"}, PASS),
        ({"/sys/module/kvm_amd/parameters/nested": "1"}, FAIL),
        ({"/sys/module/kvm_amd/parameters/nested": "?"}, UNKNOWN),
        # It is a number there, and no word.
        ({"/sys/module/kvm_amd/parameters/nested": "2"}, FAIL),
        ({"/sys/module/kvm_amd/parameters/nested": "-1"}, FAIL),
        # IBM Z and Power
        ({"/sys/module/kvm/parameters/nested": "0"}, PASS),
        ({"/sys/module/kvm/parameters/nested": "1"}, FAIL),
        ({"/sys/module/kvm_hv/parameters/nested": "N"}, PASS),
        ({"/sys/module/kvm_hv/parameters/nested": "Y"}, FAIL),
        ({"/sys/module": None}, UNKNOWN),
        ({**ARM, "/proc/cmdline": "quiet"}, PASS),
        ({**ARM, "/proc/cmdline": "kvm-arm.mode=protected"}, PASS),
        ({**ARM, "/proc/cmdline": "kvm-arm.mode=nested"}, FAIL),
        ({**ARM, "/proc/cmdline": "kvm_arm.mode=nested"}, FAIL),
        ({**ARM, "/proc/cmdline": 'kvm-arm.mode="nested"'}, FAIL),
        ({**ARM, "/proc/cmdline": '"kvm-arm.mode=nested"'}, FAIL),
        (ARM, UNKNOWN),
    ],
)
def test_nested(tmp_path, content, status):
    result = run("nested_off", build(tmp_path, content))
    assert result.status is status
    modules = [path.split("/")[3] for path in content if "nested" in path]
    assert status is not FAIL or all(
        f"options {module} nested=0" in result.remediation
        for module in modules
    )


@pytest.mark.parametrize(
    ("maker", "text", "status", "step"),
    [
        ("GenuineIntel", "Not affected", PASS, ""),
        ("GenuineIntel", "Vulnerable", FAIL, "reboot"),
        ("GenuineIntel", "Unknown: running under hypervisor", UNKNOWN, ""),
        # The kernel says it of every processor that is not in its list.
        ("AuthenticAMD", "Not affected", UNKNOWN, "only Intel's microcode"),
        ("GenuineIntel", None, UNKNOWN, "Linux 6.16"),
    ],
)
def test_microcode(tmp_path, maker, text, status, step):
    content = {"/proc/cpuinfo": f"vendor_id\t: {maker}\n"}
    if text is not None:
        content |= words(old_microcode=text)
    result = run("microcode", build(tmp_path, content))
    assert result.status is status
    assert step in (result.remediation or "")


@pytest.mark.parametrize(
    ("flags", "status"),
    [("fpu hypervisor", UNKNOWN), ("fpu hypervisors", PASS), ("fpu", PASS)],
)
def test_under_a_hypervisor_the_kernel_compares_no_microcode(
    tmp_path, flags, status
):
    cpuinfo = f"{INTEL['/proc/cpuinfo']}flags\t\t: {flags}\n"
    content = {
        "/proc/cpuinfo": cpuinfo,
        **words(old_microcode="Not affected"),
    }
    result = run("microcode", build(tmp_path, content))
    assert result.status is status
    assert ("virtual machine" in result.reason) == (status is UNKNOWN)


def test_the_makers_sign_is_enough(tmp_path):
    root = build(tmp_path, {**INTEL, **words(old_microcode="Not affected")})
    assert run("microcode", root).status is PASS


def test_a_process_that_lists_no_processors_is_not_judged(monkeypatch):
    """Nothing that may run nowhere is taken for one that runs where it may."""
    root = HostRoot()
    (listed,) = guest_cpus._of_process(root, str(os.getpid()))
    assert cpu_threads.cpu_set(listed) >= os.sched_getaffinity(0)
    monkeypatch.setattr(guest_cpus, "_ALLOWED", re.compile("another word"))
    with pytest.raises(Unreadable, match="lists no processors"):
        guest_cpus._of_process(root, str(os.getpid()))
