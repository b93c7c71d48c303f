# SPDX-License-Identifier: Apache-2.0
"""Program on an emulated host: prints facts of its kernel and reporter."""

import json
import pathlib
import subprocess
import sys

PROGRAM = str(pathlib.Path(sys.executable).with_name("nova-vhard-reporter"))
PLACE = pathlib.Path("/run/host")
FILES = {
    "reporter.conf": "[vhard_reporter]\n"
    f"run_dir = {PLACE}/run\nstate_path = {PLACE}/state\n",
    "nova.conf": "[libvirt]\nvirt_type = kvm\n",
}
CPU = pathlib.Path("/sys/devices/system/cpu")


def say(case, **facts):
    print(json.dumps({"case": case, **facts}), flush=True)


def reporter(*words):
    """Run the reporter, print its exit status, and return its output."""
    done = subprocess.run(
        [PROGRAM, f"--config-file={PLACE}/reporter.conf", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    say(words[0], ended=done.returncode, error=done.stderr[-2000:])
    return done.stdout


if __name__ == "__main__":
    facts = [*(CPU / "vulnerabilities").iterdir(), CPU / "smt" / "active"]
    say("processor", **{path.name: path.read_text().strip() for path in facts})
    (PLACE / "state").mkdir(parents=True)
    for name, text in FILES.items():
        (PLACE / name).write_text(text)
    # root's part
    reporter("facts", f"--nova-config-file={PLACE}/nova.conf")
    for result in json.loads(reporter("check", "--format", "json"))["results"]:
        say(result["check"], **result)
    say("end")
