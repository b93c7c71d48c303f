# SPDX-License-Identifier: Apache-2.0
"""Why a one-time-use device is not to be had: words, and what they mean.

A word stands in the name of a trait (nova_vhard/catalogue/traits.py). Any
other word is the name of the cleaning step that did not end clean.
"""

WORDS = {
    "ATTEMPTS": "cleanings were begun again and again and none got through",
    "CLEAN": "clean, and waits for 'openstack vhard device release'",
    "CLEANING": "a cleaning was broken off, and is begun again",
    "DIRTY": "used, and waits to be cleaned",
    "ERROR": "Placement, the journal or its lock does not let it be judged",
    "GONE": "there is no such device on the host",
    "HELD": "a guest or a process has it, although nothing is allocated",
    "JOURNAL": "its journal was damaged, and it is cleaned to be sure",
    "KEPT": "the host's configuration says to leave it as it is",
    "NO_RULE": "no entry of the host's cleaning.yaml is for it",
    "REFUSED": "a request was refused; the host's log says why",
    "RULES": "the host's cleaning.yaml is missing or has a fault",
    "UNKNOWN": "it cannot be told whether a guest has it",
    "UNREADABLE": "the host's kernel does not tell what it is",
    "VF": "it is a virtual function, which is never for one use only",
    "VOID": "something happened to it; it is cleaned again",
}

#: Of these an operator's request may be the only way out.
FAILED = "step {} did not end clean; its evidence is on the host"


def meaning(word: str) -> str:
    """Return what a word means."""
    return WORDS.get(word) or FAILED.format(word.lower())
