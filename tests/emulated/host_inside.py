# SPDX-License-Identifier: Apache-2.0
"""Program on an emulated host: runs the reporter and prints machine facts."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = str(pathlib.Path(sys.executable).with_name("nova-vhard-reporter"))
PLACE = pathlib.Path("/run/host")
CHECKS = (
    *("iommu", "interrupt_remapping", "iommu_strict"),
    *("cpu_mitigations", "smt", "microcode", "memory_sharing"),
)
CONFIG = f"""\
[vhard_reporter]
run_dir = {PLACE}/run
state_path = {PLACE}/state
"""
NOVA_CONF = "[libvirt]\nvirt_type = kvm\n"
CPU = pathlib.Path("/sys/devices/system/cpu")
LIMIT = 60.0


def say(case, **facts):
    print(json.dumps({"case": case, **facts}), flush=True)


def run(*words):
    """Run a program; return its status and what it printed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr[-2000:]


def reporter():
    """Do root's part, then check; say what the checks say."""
    (PLACE / "state").mkdir(parents=True)
    config, nova_conf = PLACE / "reporter.conf", PLACE / "nova.conf"
    config.write_text(CONFIG)
    nova_conf.write_text(NOVA_CONF)
    words = (PROGRAM, "--config-file", str(config))
    facts = ("facts", "--nova-config-file", str(nova_conf))
    status, _, error = run(*words, *facts)
    say("facts", status=status, error=error)
    status, printed, error = run(*words, "check", "--format", "json")
    say("check", status=status, error=error)
    for result in json.loads(printed)["results"]:
        if result["check"] in CHECKS:
            say(result["check"], **result)


def processor():
    """Print the kernel's reports about its processor."""
    folder = CPU / "vulnerabilities"
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    with contextlib.suppress(OSError):
        texts["smt/active"] = (CPU / "smt" / "active").read_text()
    say("processor", **{name: text.strip() for name, text in texts.items()})


if __name__ == "__main__":
    say("kernel", release=os.uname().release)
    processor()
    reporter()
    say("end")
    while True:
        time.sleep(LIMIT)
