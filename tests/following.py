# SPDX-License-Identifier: Apache-2.0
"""Remediations in explanations, read as steps that tests can follow.

``steps`` parses the remediation of an explanation and fails on an unknown
text: a new one must be followed by the tests, or be listed in ``BY_HAND``.
``refused`` returns what the shipped policies refuse, from the catalogue.
"""

import itertools
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.kinds import DeviceKind
from nova_vhard.policy import document
from nova_vhard.policy.model import Mode, Policy

#: What nobody can do by himself.
BY_HAND = (
    r"no change of [\w\[\].]+ makes this request acceptable; "
    r"ask the cloud's operator",
    r"use an image for the architecture of the cloud's hosts",
    r"create a new server, or ask the cloud's operator for the image",
    r"ask the cloud's operator for access to this volume",
    r"mount the share in the guest, over the network",
    r"sign the image with a key whose certificate the cloud trusts, and set "
    r"all four img_signature properties when it is uploaded",
)

#: Settings of one image: with what strict finds missing in any, no more than
#: one explanation has.
_TOGETHER = 14

#: Values of one kind among several: architectures are many and alike.
_OF_A_KIND = 12

_NAMES = r"[\w:]+(?:, [\w:]+)*(?: (?:and|or) [\w:]+)?"
_NEW = "the metadata of the new image"
_OPERATOR = "(?:, or ask the cloud's operator to allow it)"
_COMMANDS = "run `(?P<first>[^`]+)`(?:, then `(?P<second>[^`]+)`)?"
_CLAUSES = {
    "run": _COMMANDS,
    "server": r"[\w ,=']+: `(?P<first>openstack server [^`]+)`",
    "copy": (
        r"only project (?P<owner>\w+) can change image (?P<image>[\w-]+); to "
        "use your own copy, which has only the properties shown, "
        f"{_COMMANDS}, "
        r"and use (?P<name>[\w-]+) instead"
    ),
    "upload": (
        "upload it(?: with `(?P<options>[^`]+)`(?: and)?)?"
        f"(?: without (?P<without>{_NAMES}))?"
    ),
    "change": (
        "make the change with `(?P<options>[^`]+)`"
        f"(?:, and do not change (?P<leave>{_NAMES}))?"
    ),
    "leave": f"do not change (?P<leave>{_NAMES})",
    "metadata": (
        f"set (?P<set>[^;]+?) in {_NEW}"
        f"(?:, and remove (?P<leave>{_NAMES}) from {_NEW})?"
    ),
    "no metadata": f"remove (?P<leave>{_NAMES}) from {_NEW}",
    "entry": (
        r"(?:set|remove) (?P<list>\w+)\[(?P<index>\d+)\](?:\.(?P<key>\w+))?"
        r"(?: to (?P<value>\S+))? (?:in|from) (?P<where>the request|the "
        r"upload|(?:image|volume) [\w-]+)"
    ),
    "flavor": (
        r"choose a flavor other than (?P<flavor>[\w.-]+), without "
        rf"(?P<without>{_NAMES}){_OPERATOR}?"
    ),
    "flavor write": (
        "make the change with `(?P<options>[^`]+)`, or leave the flavor as "
        "it is"
    ),
    "flavor with": r"choose a flavor with (?P<set>[\w:]+=\w+)",
    "port": (
        "run `(?P<first>openstack port create [^`]+)`, and name "
        r"(?P<name>[\w-]+) instead of port (?P<port>[\w-]+)"
        f"{_OPERATOR}"
    ),
    "kept": (
        r"Nova does not change the (?P<what>[\w ']+): "
        "create a new server with an allowed device"
    ),
    "stored": (
        "Nova keeps the image properties that a server was built with: "
        r"rebuild the server \(this erases its root disk\), or create a new "
        r"one, from another image (?:with (?P<set>\w+=[^;]+?))?"
        f"(?: and )?(?:without (?P<without>{_NAMES}))?"
    ),
    "other host": (
        "(?:ask the cloud's operator|try again later)(?:, or use (?:no "
        "passthrough devices|a flavor without (?P<without>vhard:require)))?"
    ),
    "by hand": "|".join(BY_HAND),
}
_COMPILED = {
    name: re.compile(f"(?:{pattern})(?=; |$)")
    for name, pattern in _CLAUSES.items()
}
# The longest first: one begins like another.
_ORDER = ("port", "flavor write", *_CLAUSES)


class Step(NamedTuple):
    """One thing to do.

    :ivar kind: key of ``_CLAUSES``
    :ivar words: its parts, by name; None for one that is not there
    """

    kind: str
    words: dict[str, str | None]

    @property
    def commands(self) -> list[list[str]]:
        """The words of the commands, as a shell takes them."""
        result = (self.words.get("first"), self.words.get("second"))
        return [shlex.split(line) for line in result if line]

    @property
    def given(self) -> dict[str, str]:
        """The properties that it says to give."""
        pairs = (pair.split("=", 1) for pair in self.named("set"))
        given = shlex.split(self.words.get("options") or "")
        return options(given) | dict(pairs)

    def named(self, part: str) -> list[str]:
        """Return the names in a part of it."""
        return names(self.words.get(part))


def names(text: str | None) -> list[str]:
    """Return the names in ``a, b and c``."""
    return re.split(r", | and | or ", text) if text else []


def options(words: list[str]) -> dict[str, str]:
    """Return the properties in the options of a command."""
    pairs = itertools.pairwise(words)
    return dict(
        value.split("=", 1)
        for option, value in pairs
        if option in ("--property", "--image-property")
    )


def steps(explanation: str) -> list[Step]:
    """Return what an explanation says to do.

    :raises AssertionError: on words that this module does not know
    """
    _, _, rest = explanation.partition(" To fix: ")
    result = []
    while rest:
        for kind in _ORDER:
            match = _COMPILED[kind].match(rest)
            if match and match[0]:
                break
        else:
            raise AssertionError(f"nobody can follow: {rest}")
        result.append(Step(kind, match.groupdict()))
        rest = rest[match.end() :].removeprefix("; ")
    assert result, explanation
    return result


def policy(name: str) -> Policy:
    """Return a shipped policy."""
    return document.load(document.shipped(name))


def values(rules: Policy, kind: DeviceKind) -> list[str]:
    """Return the values of a kind that a policy refuses."""
    rule = rules.guest_devices.get(kind.name)
    if rule is None or rule.mode is Mode.WARN:
        return []
    every = kind.values or {
        "bool": ("true", "false"),
        "int": ("0", "1", "2"),
        "text": ("pc", "pc-i440fx-9.0", "isapc"),
    }.get(kind.value_type, ())
    return [each for each in every if each not in rule.allow]


def refused(rules: Policy) -> Iterator[dict[str, str]]:
    """Yield image properties of several kinds, each with a refused value.

    Until every value stood in one, but for the many architectures.
    """
    named = {
        kind.image_properties[0]: values(rules, kind)
        for kind in KINDS.values()
        if kind.image_properties
    }
    wanted = [(name, result) for name, result in named.items() if result]
    for start in range(0, len(wanted), _TOGETHER):
        few = wanted[start : start + _TOGETHER]
        most = max(len(result) for _, result in few)
        for number in range(min(most, _OF_A_KIND)):
            yield {name: result[number % len(result)] for name, result in few}


def devices(rules: Policy) -> Iterator[dict[str, str]]:
    """Yield block devices until every refused value stood in one."""
    for bus in KINDS["disk_bus"].values:
        for device, kind in (
            ("disk", "disk_bus"),
            ("lun", "disk_bus"),
            ("cdrom", "cdrom_bus"),
            ("floppy", "floppy_bus"),
        ):
            broken = bus in values(rules, KINDS[kind])
            if broken or device in values(rules, KINDS["device_type"]):
                yield {"device_type": device, "disk_bus": bus}
    yield {"device_type": "floppy"}
