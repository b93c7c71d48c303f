# SPDX-License-Identifier: Apache-2.0
"""SELinux: its state, and what labels of processes and files say.

Sources: security/selinux/selinuxfs.c in the kernel (the files' formats),
selinux_file_context and virt_selinux (manual pages of the policies), and
libvirt's src/security/security_selinux.c.
"""

import re
from dataclasses import dataclass

from nova_vhard.host.root import HostRoot, unreadable

ENFORCE = "/sys/fs/selinux/enforce"
BOOLEANS = "/sys/fs/selinux/booleans"
ACCESS = "/sys/fs/selinux/access"

#: Domains that libvirt confines guests in, under KVM and under emulation.
GUESTS = ("svirt_t", "svirt_tcg_t")

_CLASS = "/sys/fs/selinux/class/process/index"
_LABEL = "security.selinux"

# Outputs that a capture may have: one answer of ACCESS a line, as
# "label -> answer", and getfattr --absolute-names -n security.selinux.
_CAPTURED_ACCESS = "/CMD/selinux-access"
_CAPTURED_LABELS = "/CMD/getfattr-selinux"

# Bit of the last number of an answer: AVD_FLAGS_PERMISSIVE.
_PERMISSIVE = 1
# sel_write_access() in selinuxfs.c answers with six numbers: allowed, decided,
# auditallow, auditdeny, seqno, flags. All but seqno are hexadecimal.
_NUMBERS = 6
_PARTS = 4
_PAIR = 2
# No policy has more categories.
_CATEGORY = re.compile(r"c([0-9]{1,5})")
_MOST = 1 << 16


@dataclass(frozen=True)
class Label:
    """A label, ``user:role:type:level``.

    :ivar type: of a process its domain, of a file its type
    :ivar level: sensitivity without categories, or a range of two levels
    :ivar categories: their numbers; of a range those that a process may
        take on
    """

    type: str
    level: str
    categories: frozenset[int]

    @property
    def pair(self) -> frozenset[int] | None:
        """The two categories of a guest; None if it has not just two."""
        two = "-" not in self.level and len(self.categories) == _PAIR
        return self.categories if two else None


def parse(text: str) -> Label | None:
    """Parse a label; return None if it is invalid.

    ``s0:c1,c2``, ``s0:c2,c1`` and ``s0:c1.c2`` are the same categories.
    """
    # The level has colons of its own. A policy without MLS has no level: sVirt
    # cannot keep two guests apart by it, so such a label counts as invalid.
    parts = text.split(":", _PARTS - 1)
    if len(parts) != _PARTS or not all(parts):
        return None
    low, dash, high = parts[3].partition("-")
    sensitivity, _, categories = (high or low).partition(":")
    try:
        result = frozenset(_numbers(categories))
    except ValueError:
        return None
    level = f"{low}{dash}{sensitivity}" if dash else sensitivity
    return Label(parts[2], level, result)


def _numbers(text: str) -> list[int]:
    result: list[int] = []
    for part in text.split(",") if text else []:
        first, _, last = part.partition(".")
        start = _number(first)
        result += range(start, (_number(last) if last else start) + 1)
        # Five digits bound one range, and this bounds many in one label.
        if len(result) > _MOST:
            raise ValueError(part)
    return result


def _number(category: str) -> int:
    match = _CATEGORY.fullmatch(category)
    if not match:
        raise ValueError(category)
    return int(match[1])


def enforcing(root: HostRoot) -> bool:
    """Return whether SELinux enforces its policy.

    :raises Unreadable: if that cannot be told, or there is no SELinux
    """
    return root.peek(ENFORCE) == "1"


def permissive(root: HostRoot, label: str) -> bool:
    """Return whether a process of this label is let do everything.

    A domain can be permissive while ``enforce`` says 1.

    :raises Unreadable: if the kernel does not answer
    """
    if root.captured:
        answer = _captured(root, label)
    else:
        # Any class will do: the flag is about the domain alone (permissive_map
        # in security_compute_av_user).
        number = root.peek(_CLASS)
        # The policy may forbid the question (compute_av): UNKNOWN then.
        answer = root.ask(ACCESS, f"{label} {label} {number}")
    numbers = answer.split()[:_NUMBERS]
    if len(numbers) < _NUMBERS or not numbers[-1].isalnum():
        raise unreadable(ACCESS, f"the answer is {answer[:60]!r}")
    return bool(int(numbers[-1], 16) & _PERMISSIVE)


def may_write(
    root: HostRoot, process: str, file: str, kind: str
) -> bool | None:
    """Return whether a process of a label may write a file of a label.

    :param kind: the kernel's class of files: file, blk_file, dir
    :returns: the policy's decision, ignoring permissive mode; None for a
        capture that does not include it
    :raises Unreadable: if the kernel does not answer
    """
    folder = f"/sys/fs/selinux/class/{kind}"
    if root.captured:
        question = f"{process} {file} {kind} write"
        for line in root.peek(_CAPTURED_ACCESS).splitlines():
            asked, arrow, answer = line.partition(" -> ")
            if arrow and asked.strip() == question:
                return answer.strip() == "yes"
        return None
    # A policy numbers classes and permissions itself: no constant is right for
    # every host.
    number = root.peek(f"{folder}/index")
    bit = root.peek(f"{folder}/perms/write")
    answer = root.ask(ACCESS, f"{process} {file} {number}")
    try:
        # perms/write has the place of the bit, counted from 1.
        return bool(int(answer.split()[0], 16) >> (int(bit) - 1) & 1)
    except (ValueError, IndexError) as error:
        raise unreadable(ACCESS, f"the answer is {answer[:60]!r}") from error


def _captured(root: HostRoot, label: str) -> str:
    """Return the captured answer for the same domain."""
    wanted = parse(label)
    for line in root.peek(_CAPTURED_ACCESS).splitlines():
        asked, arrow, answer = line.partition(" -> ")
        result = parse(asked.strip())
        if arrow and result and wanted and result.type == wanted.type:
            return answer
    raise unreadable(_CAPTURED_ACCESS, f"nothing about {label[:60]}")


def boolean(root: HostRoot, name: str) -> tuple[bool, bool] | None:
    """Return what a boolean is, and what it will be once committed.

    :returns: None if this policy has none of the name
    :raises Unreadable: if it cannot be read
    """
    path = f"{BOOLEANS}/{name}"
    text = root.maybe(path, beside=BOOLEANS)
    if text is None:
        return None
    # sel_read_bool() writes the current value and the one that is pending.
    words = text.split()
    if len(words) != _PAIR or not set(words) <= {"0", "1"}:
        raise unreadable(path, f"{' '.join(words)[:60]!r} is not a state")
    return words[0] == "1", words[1] == "1"


def file_label(root: HostRoot, path: str) -> str:
    """Return the label of a file.

    :raises Unreadable: if it cannot be read, or has none
    """
    if not root.captured:
        # The kernel answers with the label that it goes by: on a file system
        # without labels that of the mount (context=).
        return root.attribute(path, _LABEL)
    here = False
    for line in root.peek(_CAPTURED_LABELS).splitlines():
        if line.startswith("# file: "):
            here = line.removeprefix("# file: ").lstrip("/") == path[1:]
        elif here and line.startswith(f"{_LABEL}="):
            return line.partition("=")[2].strip('"')
    raise unreadable(path, "its label is not in the capture")
