# SPDX-License-Identifier: Apache-2.0
"""A machine under emulation, on which a program of this folder runs."""

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
qemu-system-x86_64 -nodefaults -display none -no-reboot
-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,\
multidevs=remap
-serial file:{place}/console -serial file:{place}/answers
"""


def version() -> str:
    """Return the version of QEMU."""
    text = subprocess.check_output([_QEMU.split()[0], "--version"], text=True)
    result = re.search(r"version (\S+)", text)
    assert result, text
    return result[1]


def run(
    place: pathlib.Path, program: str, options: str, kernel: str = ""
) -> dict[str, dict]:
    """Boot a machine, run a program there, and wait for its end.

    :param place: folder for logs
    :param options: of QEMU, without paths that have blanks
    :param kernel: more of the kernel's command line
    :returns: case to its result, as the program prints it
    :raises AssertionError: if it did not get to its end
    """
    made = pathlib.Path(os.environ["NOVA_VHARD_EMULATED_FOLDER"])
    words = f"console=ttyS0 loglevel=4 panic=-1 {kernel}"
    words += f" vhard={sys.executable},{_HERE / program}"
    images = ("-kernel", made / "vmlinuz", "-initrd", made / "initrd")
    command = f"{_QEMU.format(place=place)} {options}".split()
    subprocess.run(
        [*command, *images, "-append", words],
        env={"PATH": os.defpath},
        check=True,
        timeout=_LIMIT,
    )
    text = (place / "answers").read_text(errors="replace")
    lines = [x for x in text.splitlines() if x.startswith('{"case": ')]
    answers = {answer["case"]: answer for answer in map(json.loads, lines)}
    end = (place / "console").read_text(errors="replace")[-2000:]
    assert "end" in answers, f"{text[-4000:]}\n{end}"
    return answers
