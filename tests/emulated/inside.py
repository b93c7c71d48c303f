# SPDX-License-Identifier: Apache-2.0
"""Program in the emulated guest: prints each case as one line of JSON."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time
from dataclasses import asdict

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nova_vhard.cleaner.step import Job  # noqa: E402
from nova_vhard.cleaner.step_process import Isolation  # noqa: E402
from nova_vhard.cleaner.steps.nvme_erase import NvmeErase  # noqa: E402
from nova_vhard.host.pci import pci  # noqa: E402
from nova_vhard.host.root import HostRoot, Unreadable  # noqa: E402

HOST = HostRoot("/")
LIMIT = 120.0
#: Bytes that a guest leaves behind.
LEFT = os.urandom(64 << 10)

#: nvme-cli before a controller that says that it can what it cannot. What it
#: is told to do it says that it has done, and does not.
LIAR = """\
#!/bin/sh
case $1 in
    id-ctrl) nvme "$@" | sed 's/"fna":0/"fna":4/' ;;
    format) echo "Success formatting namespace:1" ;;
    *) exec nvme "$@" ;;
esac
"""


def say(case, **facts):
    print(json.dumps({"case": case, **facts}), flush=True)


def block_of(device):
    """Return the block device of a drive's one namespace."""
    (name,) = HOST.names(f"{device.path}/nvme")
    names = HOST.names(f"{device.path}/nvme/{name}")
    (result,) = (x for x in names if re.fullmatch(r"nvme\d+n\d+", x))
    return f"/dev/{result}"


def wait_for_block(device):
    """Wait until the kernel has found the namespaces of a drive."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        try:
            return os.stat(block_of(device))
        except (Unreadable, ValueError, OSError):
            time.sleep(0.1)
    raise TimeoutError(device.address)


def leave(device):
    """Write the data of a guest to a drive."""
    with open(block_of(device), "r+b", buffering=0) as file:
        file.write(LEFT)
        os.fsync(file.fileno())


def erase(case, device, **settings):
    """Let a guest leave something; run the step; look what is there."""
    before = pci.driver(HOST, device.address)
    if before:
        leave(device)
    job = Job(HOST, device, settings, LIMIT)
    outcome = Isolation().run(NvmeErase(), job)
    after = pci.driver(HOST, device.address)
    if after is None:
        pathlib.Path("/sys/bus/pci/drivers_probe").write_text(device.address)
        wait_for_block(device)
    block = block_of(device)
    subprocess.run(["blockdev", "--flushbufs", block], check=True)
    with open(block, "rb") as file:
        there = file.read(len(LEFT))
    say(case, **asdict(outcome), left=there == LEFT, drivers=[before, after])


def nvme():
    own, other = _by_serial()
    erase("as it is", own)
    erase("no crypto erase", own, methods=["format_crypto"])
    erase("no sanitize", own, methods=["sanitize_crypto", "sanitize_block"])
    liar = pathlib.Path("/run/liar")
    liar.write_text(LIAR)
    liar.chmod(0o755)
    erase("it lies", own, methods=["format_crypto"], program=str(liar))
    job = Job(HOST, other, {}, LIMIT)
    say("shared", **asdict(Isolation().run(NvmeErase(), job)))
    holder = os.open(block_of(own), os.O_RDONLY | os.O_EXCL)
    erase("in use", own)
    os.close(holder)
    leave(own)
    pathlib.Path(f"{own.path}/driver/unbind").write_text(own.address)
    erase("no driver", own)


def _by_serial():
    """Return the drive of its own, and the one of a shared subsystem."""
    devices = sorted(
        (
            HOST.read(f"{device.path}/nvme/{name}/serial").strip(),
            device.address,
            device,
        )
        for device in pci.devices(HOST)
        if pci.device_class(HOST, device.address) == "0x010802"
        for name in HOST.names(f"{device.path}/nvme")
    )
    return [device for _, _, device in devices]


if __name__ == "__main__":
    tool = subprocess.check_output(["nvme", "version"], text=True)
    say("versions", kernel=os.uname().release, nvme=tool.splitlines()[0])
    nvme()
    say("end")
