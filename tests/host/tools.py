# SPDX-License-Identifier: Apache-2.0
"""Results of other hardening checkers, by property.

True if the binary is hardened, False if it is not, None if not reported.
"""

import json
import re
import subprocess

#: Our property: the field of checksec, and what it says of it.
CHECKSEC = {
    "relro": ("relro", {"full": True, "partial": False, "no": False}),
    "canary": ("canary", {"yes": True, "no": False}),
    "nx": ("nx", {"yes": True, "no": False}),
    "pie": ("pie", {"yes": True, "no": False, "dso": None}),
    "fortify": ("fortify_source", {"yes": True, "no": False}),
}

#: Our property: the lines of hardening-check, each of which has to say yes.
#: It has none about NX.
HARDENING_CHECK = {
    "relro": ("Read-only relocations", "Immediate binding"),
    "canary": ("Stack protected",),
    "pie": ("Position Independent Executable",),
    "fortify": ("Fortify Source functions",),
}
_WORDS = {"yes": True, "no": False, "unknown": None}

Said = dict[str, bool | None]


def checksec(path: object) -> Said:
    """Ask checksec of a binary."""
    text = _output("checksec", f"--file={path}", "--output=json")
    (result,) = json.loads(text).values()
    return {
        name: words[result[field]] for name, (field, words) in CHECKSEC.items()
    }


def hardening_check(path: object) -> Said:
    """Ask hardening-check of a binary."""
    text = _output("hardening-check", path)
    result = dict(re.findall(r"^ (.+?): (.+)", text, re.MULTILINE))
    said: Said = {}
    for name, lines in HARDENING_CHECK.items():
        words = [_word(result[line]) for line in lines]
        said[name] = False if False in words else all(words) or None
    return said


def _word(answers: str) -> bool | None:
    """Read "yes", "no, not found!", "no, … (ignored)" or "unknown, …"."""
    said = re.match(r"\w+", answers)[0]
    return None if answers.endswith("(ignored)") else _WORDS[said]


TOOLS = {"checksec": checksec, "hardening-check": hardening_check}


def virt_host_validate() -> dict[str, tuple[str, str]]:
    """Ask virt-host-validate; return what it checks to (word, reason)."""
    result = re.findall(
        r"QEMU: Checking (?:for|if) (.+?) *: (PASS|WARN|FAIL)(?: \((.*)\))?$",
        re.sub(r"\x1b\[[\d;]*m", "", _output("virt-host-validate", "qemu")),
        re.MULTILINE,
    )
    return {what: (word, reason) for what, word, reason in result}


def _output(*command: object) -> str:
    """Return what a command prints; its exit status is a verdict."""
    return subprocess.run(
        [str(each) for each in command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    ).stdout
