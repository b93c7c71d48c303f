# SPDX-License-Identifier: Apache-2.0
"""A guest under emulation whose devices a cleaning step may really erase."""

import json
import os
import pathlib
import re
import subprocess
import sys

_HERE = pathlib.Path(__file__).resolve().parent

# Seconds; 20 on an idle machine of 2 cores.
_LIMIT = 900

_QEMU = """\
qemu-system-x86_64 -machine q35,accel=tcg -cpu max -m 512 -smp 1
-nodefaults -display none -no-reboot
-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,\
multidevs=remap
-drive if=none,id=data,file={disk},format=raw
-device nvme,serial=vhard0,id=nvme,drive=data
-drive if=none,id=worn,file={worn},format=raw
-device nvme-subsys,id=shared,nqn=shared
-device nvme,serial=vhard1,subsys=shared
-device nvme-ns,drive=worn,shared=on
-serial file:{console} -serial file:{answers}
"""


def version() -> str:
    """Return the version of QEMU."""
    text = subprocess.check_output([_QEMU.split()[0], "--version"], text=True)
    result = re.search(r"version (\S+)", text)
    assert result, text
    return result[1]


def run(place: pathlib.Path, made: pathlib.Path) -> dict[str, dict]:
    """Boot the guest, run ``inside.py`` there, and wait for its end.

    :param place: folder for disks and logs
    :param made: folder with kernel and initrd, by prepare.sh
    :returns: case to what it came to, as inside.py prints it
    :raises AssertionError: if it did not get to its end
    """
    names = ("disk", "worn", "console", "answers")
    paths = {name: place / name for name in names}
    for name in ("disk", "worn"):
        with open(paths[name], "wb") as file:
            file.truncate(64 << 20)
    program = f"{sys.executable},{_HERE / 'inside.py'}"
    kernel = f"console=ttyS0 loglevel=4 panic=-1 vhard={program}"
    images = ["-kernel", made / "vmlinuz", "-initrd", made / "initrd"]
    command = _QEMU.format(**paths).replace("\\\n", "").split()
    subprocess.run(
        [*command, *images, "-append", kernel],
        env={"PATH": os.defpath},
        check=True,
        timeout=_LIMIT,
    )
    text = paths["answers"].read_text(errors="replace")
    lines = [x for x in text.splitlines() if x.startswith('{"case": ')]
    answers = {answer["case"]: answer for answer in map(json.loads, lines)}
    end = paths["console"].read_text(errors="replace")[-2000:]
    assert "end" in answers, f"{text[-4000:]}\n{end}"
    return answers
