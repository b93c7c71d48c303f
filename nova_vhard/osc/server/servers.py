# SPDX-License-Identifier: Apache-2.0
"""Findings of an audit in a server, and their consequences.

Pure functions: no cloud is accessed here.
"""

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common.text import clean, line
from nova_vhard.explain import messages, search
from nova_vhard.explain.draft import Draft
from nova_vhard.osc.audits import UNSEEN_RULE
from nova_vhard.osc.violations import OTHERS, Find, FixCell, fix_cell
from nova_vhard.policy.hardware import (
    BLOCK_DEVICE,
    FLAVOR,
    NOBODY,
    VOLUME,
    DeviceChoice,
    HardwareRequest,
)
from nova_vhard.policy.model import Mode, Policy
from nova_vhard.policy.subject import REBUILD, Subject
from nova_vhard.policy.top_violations import leading
from nova_vhard.policy.verdict import Violation, ViolationKey, evaluate
from nova_vhard.request.compose import with_specs
from nova_vhard.request.lookups import Image
from nova_vhard.request.server_request import ServerRequest

#: Violations by their keys: devices and rules.
_Found = Mapping[frozenset[ViolationKey], Violation]

Row = tuple[Any, ...]

COLUMNS = (
    "Project",
    "Host",
    "Server",
    "Name",
    "Rule",
    "Mode",
    "Asks For",
    "Fix",
    "Means",
)

UNSEEN = UNSEEN_RULE

_NAME = re.compile(r"(?:/dev/)?(hd|fd|vd|xvd)[a-z0-9]+$")
# get_dev_prefix_for_disk_bus in nova/virt/libvirt/blockinfo.py. "sd" stands
# for scsi, sata and usb alike, and says nothing.
_BUS_OF_NAME: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "hd": ("disk_bus", "ide"),
        "fd": ("floppy_bus", "fdc"),
        "vd": ("disk_bus", "virtio"),
        "xvd": ("disk_bus", "xen"),
    }
)
# Limits of the cache: servers, and characters of one key. Image owners choose
# the values in a key, so the cache never has more than one longer key.
_MOST, _LONGEST = 256, 8192
_AGAIN = {
    Mode.ENFORCE: "would be refused a rebuild",
    Mode.WARN: "a rebuild would pass with a warning",
    Mode.AUDIT: "a rebuild would pass",
}

_MENDED = "rebuild it: its image now asks for another value"
# Nova stores the values that it chose itself along with those of the image.
_PICKED = (
    "its image does not set it (any more); if its host chose it, set it in "
    "the image, or correct the host's nova.conf or the policy's assume "
    "(check nova_defaults); then rebuild it"
)


@dataclass(frozen=True)
class Server:
    """A server, as far as it can be seen.

    :ivar host: empty where the API does not show it
    :ivar flavor: name of the flavor
    :ivar image: id of the image; None for a server on a volume
    :ivar had: what it was made of, by the image metadata that Nova keeps
        with it; None where the API does not show that
    :ivar now: what a rebuild would read: its image, or the metadata of its
        root volume, as it is today; None where that cannot be seen
    :ivar rebuilt_from: the image or volume metadata that defines ``now``
    :ivar rest: what its flavor and its ports ask for
    :ivar specs: the extra specs of its flavor
    :ivar device_names: ``/dev/vda`` and the like
    :ivar unseen: what could not be seen, in words
    """

    id: str
    name: str = ""
    project: str = ""
    host: str = ""
    flavor: str | None = None
    flavor_id: str | None = None
    image: str | None = None
    had: HardwareRequest | None = None
    now: HardwareRequest | None = None
    rebuilt_from: Image | None = None
    rest: HardwareRequest = field(default_factory=HardwareRequest)
    specs: Mapping[str, str] = field(default_factory=dict)
    device_names: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def subject(self) -> Subject:
        """Subject of a rebuild: the server's project; the user is unknown."""
        return Subject(
            REBUILD,
            project=self.project,
            image=self.image,
            flavor=self.flavor,
            flavor_id=self.flavor_id,
            server=self.id,
        )


class _Finding(NamedTuple):
    """A violation, its effect on the server, and the remediation.

    :ivar fix: the remediation; None to search for a fix
    :ivar again: the same violation in a rebuild, for the search
    """

    violation: Violation
    means: str
    fix: str | None = None
    again: Violation | None = None


class Auditor:
    """Judge of servers by one policy.

    Servers that differ only in ID, name and host share one verdict. A server
    that an exemption names is judged separately.
    """

    def __init__(self, policy: Policy, today: datetime.date) -> None:
        """Judge nothing yet.

        :param today: the day (UTC) by which exemptions are judged
        """
        self._policy = policy
        self._today = today
        self._named = frozenset().union(
            *(each.servers for each in policy.exemptions)
        )
        self._known: dict[str, list[Row]] = {}

    def rows(self, server: Server) -> list[Row]:
        """Return a row for each violation and each fact that is not visible.

        If there are many violations, the last row counts those not listed.
        """
        about = server.project, server.host, server.id, server.name
        named = server.id if server.id in self._named else ""
        alike = replace(server, id=named, name="", host="")
        key = repr(alike)
        if key not in self._known:
            if len(self._known) >= _MOST or len(key) > _LONGEST:
                self._known.clear()
            self._known[key] = [
                *_violating(self._policy, alike, self._today),
                *(
                    (
                        *(UNSEEN, "", f"cannot be seen: {line(text)}"),
                        *(FixCell(""), "not judged"),
                    )
                    for text in server.unseen
                ),
            ]
        return [(*map(clean, about), *words) for words in self._known[key]]


def violations(
    policy: Policy, server: Server, today: datetime.date
) -> Iterator[Violation]:
    """Yield the known violations of a server's present devices.

    Requests that the image makes today are left out, because they would be
    new to the server. They are included if Nova does not show the metadata
    that the server was created from.
    """
    known = _violations(policy, server, _runs_with(server), today)
    if server.had is None and server.now is not None:
        now = _violations(policy, server, server.now, today)
        known = {**now, **known}
    yield from known.values()
    for finding in _by_name(policy, server, today, known):
        yield finding.violation


def alone(rest: HardwareRequest) -> HardwareRequest:
    """Return a request without the devices that Nova adds by default."""
    return replace(rest, complete=True)


def _violating(
    policy: Policy, server: Server, today: datetime.date
) -> Iterator[tuple[str, str, str, FixCell, str]]:
    """Yield the end of each row, from the rule on."""
    findings = {
        item.violation: item for item in _findings(policy, server, today)
    }
    result = leading(tuple(findings))
    find = finder(policy, server, today)
    for item in result.shown:
        finding = findings[item]
        fixed = (
            FixCell(finding.fix)
            if finding.fix
            else fix_cell(finding.again or item, find)
        )
        yield (
            item.rule,
            str(item.mode),
            messages.asked(item),
            fixed,
            finding.means,
        )
    if result.left_out:
        yield OTHERS, "", f"and {result.left_out} more", FixCell(""), ""


def finder(policy: Policy, server: Server, today: datetime.date) -> Find:
    """Return a function that finds fixes in the documents of a server."""

    def read(draft: Draft) -> ServerRequest:
        image = draft.image(server.rebuilt_from or Image())
        specs = draft.of(FLAVOR, NOBODY, server.specs)
        whole = with_specs(image.hardware(), specs)
        return ServerRequest(whole, server.subject)

    return partial(
        search.fix,
        policy,
        request=read(Draft(server.subject)),
        today=today,
        read=read,
    )


def _findings(
    policy: Policy, server: Server, today: datetime.date
) -> Iterator[_Finding]:
    runs = _violations(policy, server, _runs_with(server), today)
    known = frozenset().union(*(runs if server.had is not None else ()))
    again = (
        _violations(policy, server, server.now, today, known)
        if server.now
        else {}
    )
    for key, run in runs.items():
        choice, fix = _of_image(run), None
        if choice and server.now is not None and key not in again:
            stated = server.now.explicit(choice.kind)
            fix = _MENDED if stated else _PICKED
        means = _means(server, run, again.get(key))
        yield _Finding(run, f"{_runs(run)}{means}", fix, again.get(key))
    for key, item in again.items():
        if key not in runs:
            yield _Finding(item, _new(server, item))
    yield from _by_name(policy, server, today, runs)


def _runs_with(server: Server) -> HardwareRequest:
    """Return what is known to be in the server."""
    if server.had is None:
        return alone(server.rest)
    whole = server.had.plus(server.rest.choices)
    rest = server.rest
    return replace(
        whole, passthrough=rest.passthrough, has_flavor=rest.has_flavor
    )


def _violations(
    policy: Policy,
    server: Server,
    request: HardwareRequest,
    today: datetime.date,
    already: frozenset[ViolationKey] = frozenset(),
) -> _Found:
    verdict = evaluate(policy, request, server.subject, today, already)
    return {violation.keys: violation for violation in verdict.violations}


def _of_image(violation: Violation) -> DeviceChoice | None:
    """Return the choice, if an image or a block device makes it."""
    choice = violation.cause.choice
    return None if choice is None or choice.origin == FLAVOR else choice


def _runs(violation: Violation) -> str:
    choice = violation.cause.choice
    if choice is None:
        return f"has a device of the host ({clean(violation.cause.value)})"
    title = KINDS[choice.kind].title
    if choice.value is None:
        return f"runs with an unknown {title}"
    return f"runs with {title} {clean(choice.value)}"


def _means(
    server: Server, violation: Violation, again: Violation | None
) -> str:
    """Return the consequence of a device that the server runs with."""
    choice = _of_image(violation)
    if choice is None:
        refused = violation.mode is Mode.ENFORCE
        return "; a boot like it would be refused" if refused else ""
    if again is not None:
        return f"; {_AGAIN[again.mode]}"
    if server.now is not None and server.now.explicit(choice.kind):
        return "; a rebuild would fix it"
    if server.now is not None:
        return "; a rebuild would get what its host picks"
    return "; what a rebuild would read cannot be seen"


def _new(server: Server, violation: Violation) -> str:
    """Return the consequence of a value that the image has today."""
    choice = violation.cause.choice
    if choice is not None and choice.origin == VOLUME:
        means = "its root volume asks for it"
        boots = "; a boot from it would be refused"
        return means + boots if violation.mode is Mode.ENFORCE else means
    if server.had is not None:
        return f"{_AGAIN[violation.mode]}; it does not run with this"
    means = "its image asks for it; what it runs with cannot be seen"
    if violation.mode is Mode.ENFORCE:
        return f"{means}; would be refused a rebuild if this is new to it"
    return means


def _by_name(
    policy: Policy,
    server: Server,
    today: datetime.date,
    known: _Found,
) -> Iterator[_Finding]:
    """Yield violations that are visible only in the names of disks."""
    values = {
        violation.cause.value
        for violation in known.values()
        if not violation.count
    }
    request = alone(HardwareRequest(tuple(_wishes(server.device_names))))
    for violation in _violations(policy, server, request, today).values():
        choice = violation.cause.choice
        if choice is None or choice.value in values:
            continue
        yield _Finding(
            violation,
            f"probably runs with {KINDS[choice.kind].title} "
            f"{clean(choice.value)}: evidence, no proof",
            "look at its image and block devices",
        )


def _wishes(names: Iterable[str]) -> Iterator[DeviceChoice]:
    for name in names:
        match = _NAME.match(name)
        if match:
            kind, bus = _BUS_OF_NAME[match[1]]
            source = f"bus by the device name {clean(name)}"
            yield DeviceChoice(
                *(kind, bus, source, source, BLOCK_DEVICE), device=name
            )
