# SPDX-License-Identifier: Apache-2.0
"""Common parts of audits: selection, exit status, totals, and JUnit's file."""

import argparse
import enum
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from xml.etree import ElementTree

from openstack import exceptions as sdk
from osc_lib import exceptions
from oslo_utils import uuidutils

from nova_vhard.common import files
from nova_vhard.common.text import clean, line
from nova_vhard.osc import exemption_list, output, paging
from nova_vhard.policy.model import Mode

#: The rule of a row about something that could not be seen.
UNSEEN_RULE = "-"

#: Exit status if --fail-on finds nothing, but some items could not be checked.
NOT_SEEN = 4


Thing = Mapping[str, Any]


class Level(enum.IntEnum):
    """Severity of a finding; a higher value is more severe."""

    AUDIT = 1
    UNSEEN = 2
    WARNING = 3
    VIOLATION = 4


#: Level of a violation of a rule, by the rule's mode.
LEVELS = {
    Mode.ENFORCE: Level.VIOLATION,
    Mode.WARN: Level.WARNING,
    Mode.AUDIT: Level.AUDIT,
}
# Of a row, what its finding is made of.
_CELLS = ("Rule", "Mode", "Asks For", "Fix")
_FAIL_ON = {"violation": Level.VIOLATION, "warning": Level.WARNING}


@dataclass(frozen=True)
class Finding:
    """A finding of an audit about one object.

    :ivar rule: id of the rule, for JUnit's ``type``
    :ivar text: one line
    """

    level: Level
    rule: str
    text: str


@dataclass(frozen=True)
class _Thing:
    """One thing that was looked at."""

    id: str
    name: str
    findings: tuple[Finding, ...]

    @property
    def levels(self) -> set[Level]:
        """Return the levels of what was found."""
        return {finding.level for finding in self.findings}

    @property
    def worst(self) -> Level | None:
        """Return the worst level of a violation, None without one."""
        return max(self.levels - {Level.UNSEEN}, default=None)


def find(
    kind: str,
    name: str,
    get: Callable[[str], Thing],
    missing: tuple[type[Exception], ...],
    listed: Callable[[str], Iterable[Thing]],
) -> dict[str, Any]:
    """Return the only thing that has an id or a name.

    :param kind: what it is, ``image``
    :param get: returns the thing with an id
    :param missing: exceptions of ``get`` if nothing has the id
    :param listed: returns things, including all that have a name
    :raises osc_lib.exceptions.CommandError: if not exactly one is found
    """
    try:
        return dict(get(name))
    except missing:
        same = [thing for thing in listed(name) if thing.get("name") == name]
    if len(same) != 1:
        some = f"several {kind}s have" if same else f"no {kind} has"
        raise exceptions.CommandError(f"{some} the name or id {clean(name)}")
    return dict(same[0])


def project_id(app: Any, name: str) -> str:
    """Return the ID of a project.

    :param app: openstackclient's application
    :param name: its name or ID; the ID if the user may not look it up
    :raises CommandError: if no project, or more than one, has the name
    """
    connection = app.client_manager.sdk_connection
    try:
        # The proxy itself fails where the catalogue has no such service.
        identity = connection.identity
        project = identity.find_project(name, ignore_missing=True)
    except sdk.DuplicateResource as error:
        raise exceptions.CommandError(
            f"several projects have the name {clean(name)}: specify the ID"
        ) from error
    except paging.ERRORS:
        return name
    # A project that was deleted may have left servers and images.
    if project is None and not uuidutils.is_uuid_like(name):
        raise exceptions.CommandError(
            f"no project has the name or id {clean(name)}"
        )
    return str(project.id) if project else name


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that make an audit's result machine-readable."""
    parser.add_argument(
        "--fail-on",
        choices=tuple(_FAIL_ON),
        help='Exit status: 3 if violations are found ("violation": in '
        'mode enforce; "warning": in mode enforce or warn), 4 if '
        "there are none but some items could not be checked. "
        "Violations in mode audit are listed only. Default: 0 when "
        "the audit completes.",
    )
    parser.add_argument(
        "--junit",
        metavar="<file>",
        help="Also write the results as a JUnit test suite; an existing "
        "file is replaced. Violations as in --fail-on (default: "
        "violation) are failures, and items that could not be checked "
        "are errors.",
    )


def of_rows(
    columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> Iterator[Finding]:
    """Yield the findings of an audit's rows about one thing.

    :param columns: with Rule, Mode, Asks For and Fix among them
    """
    cells = itemgetter(*map(columns.index, _CELLS))
    for row in rows:
        rule, mode, request, fix = cells(row)
        level = Level.UNSEEN
        if rule != UNSEEN_RULE:
            # A row that counts further violations has no mode of its own.
            level = LEVELS[Mode(mode)] if mode else Level.AUDIT
        to_fix = f"; to fix: {fix}" if str(fix) else ""
        yield Finding(level, rule, line(f"{request}{to_fix}"))


class Tally:
    """Counts of one audit.

    :param what: the objects in the plural, ``images``
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._things: list[_Thing] = []

    @property
    def looked_at(self) -> int:
        """Number of objects that were checked."""
        return len(self._things)

    def count(self, *levels: Level) -> int:
        """Return how many things have a finding of one of the levels."""
        return sum(1 for thing in self._things if thing.levels & set(levels))

    def add(self, uuid: Any, name: Any, findings: Iterable[Finding]) -> None:
        """Add one thing, with what was found in it."""
        thing = _Thing(line(uuid), line(name or ""), tuple(findings))
        self._things.append(thing)

    def totals(self) -> str:
        """Return the totals, as a line."""
        violate = self.count(Level.VIOLATION, Level.WARNING, Level.AUDIT)
        worst = Counter(thing.worst for thing in self._things)
        modes = (
            f"{worst[level]} in mode {mode}" for mode, level in LEVELS.items()
        )
        return (
            f"{self._what}: {self.looked_at} looked at, {violate} with "
            f"violations ({', '.join(modes)}), {self.count(Level.UNSEEN)} not "
            "seen in full"
        )

    def finish(self, options: argparse.Namespace) -> int:
        """Write the JUnit file, if requested; return the exit status.

        :param options: as ``add_options`` adds them
        :raises osc_lib.exceptions.CommandError: if it cannot be written
        """
        least = _FAIL_ON[options.fail_on or "violation"]
        failing = {level for level in Level if level >= least}
        if options.junit:
            text = ElementTree.tostring(self.junit(failing)).decode("ascii")
            try:
                files.replace(options.junit, text + "\n")
            except OSError as error:
                raise exceptions.CommandError(
                    f"--junit {output.unwritable(options.junit, error)}"
                ) from error
        if options.fail_on is None:
            return 0
        if self.count(*failing):
            return output.FAILED
        return NOT_SEEN if self.count(Level.UNSEEN) else 0

    def junit(self, failing: set[Level]) -> ElementTree.Element:
        """Return the test suite, a case for each thing.

        :param failing: the levels of findings that are failures
        """
        kinds = [_case_kind(thing, failing) for thing in self._things]
        suite = ElementTree.Element(
            "testsuite",
            name=f"openstack vhard audit of {self._what}",
            tests=str(self.looked_at),
            failures=str(kinds.count("failure")),
            errors=str(kinds.count("error")),
            skipped="0",
        )
        for thing, kind in zip(self._things, kinds, strict=True):
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=self._what,
                name=f"{thing.name} ({thing.id})" if thing.name else thing.id,
            )
            if thing.findings:
                first = max(thing.findings, key=lambda finding: finding.level)
                about = {"type": first.rule, "message": first.text}
                result = ElementTree.SubElement(
                    case, kind, {} if kind == "system-out" else about
                )
                result.text = "\n".join(
                    f"[{item.rule}] {item.text}" for item in thing.findings
                )
        return suite


def _case_kind(thing: _Thing, failing: set[Level]) -> str:
    """Return the element of a case: what is worst in it."""
    if thing.levels & failing:
        return "failure"
    return "error" if Level.UNSEEN in thing.levels else "system-out"


class AuditCommand(output.Lister):
    """Base of the commands that audit."""

    def conclude(
        self,
        options: argparse.Namespace,
        tally: Tally,
        notes: Iterable[str] = (),
        exempted: exemption_list.ExemptionList | None = None,
    ) -> None:
        """Print what the rows do not say; set the exit status.

        :param exempted: the list to write, if one is asked for
        """
        for text in (tally.totals(), *notes):
            self.say(text)
        try:
            self.status = tally.finish(options)
            if exempted is not None:
                for text in exemption_list.finish(exempted, options):
                    self.say(text)
                self.status = self.status or int(exempted.left_out > 0)
        except exceptions.CommandError as error:
            # The rows, and with --yes the changes, are shown all the same.
            self.say(str(error))
            self.status = 1
