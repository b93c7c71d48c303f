# SPDX-License-Identifier: Apache-2.0
"""openstack vhard image audit, and restore."""

import argparse
import datetime
from collections.abc import Iterable, Iterator
from typing import Any

from osc_lib import exceptions

from nova_vhard.common.text import clean
from nova_vhard.osc import audits, exemption_list, output, policies
from nova_vhard.osc.image import changes, selection
from nova_vhard.osc.image.changes import Changes, Wanted
from nova_vhard.osc.image.images import (
    COLUMNS,
    Auditor,
    Finding,
    Row,
)
from nova_vhard.osc.image.journal import (
    Journal,
    JournalError,
    read,
)
from nova_vhard.policy.model import Policy


class AuditImages(output.Lister):
    """List images that violate the policy: whose, what, and how to fix it.

    --fix sets properties, and only where the policy names a safe replacement
    (guest_devices.*.replace). Without --yes it only shows what it would do.
    It writes a journal, with which openstack vhard image restore undoes it.
    Ends with 1 if a change failed.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add which images, and what to do about them."""
        selection.add_options(parser)
        policies.add_option(parser, "Policy by which images are judged")
        parser.add_argument(
            "--fix",
            action="store_true",
            help="Set what the policy names as a safe replacement.",
        )
        parser.add_argument(
            "--deactivate",
            action="store_true",
            help="Deactivate what violates the policy (after --fix: still).",
        )
        parser.add_argument(
            "--yes", action="store_true", help="Do it, not only say it."
        )
        parser.add_argument(
            "--journal",
            metavar="<file>",
            help="Where to write what was done; must not be there yet "
            "(default: vhard-images-TIME.journal in this folder).",
        )
        exemption_list.add_options(parser, "image")
        audits.add_options(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[Row]]:
        """Return one row a violation."""
        wanted = Wanted(parsed_args.fix, parsed_args.deactivate)
        if parsed_args.yes and not wanted:
            raise output.UsageError("--yes to what? --fix, --deactivate")
        exemption_list.check_options(parsed_args)
        policy = policies.load(parsed_args.policy)
        audit = _Audit(self, policy, wanted, parsed_args)
        try:
            result = list(audit.rows())
        except JournalError as error:
            raise exceptions.CommandError(
                f"nothing more done: {error}"
            ) from error
        except changes.ERRORS as error:
            raise exceptions.CommandError(f"Glance: {error}") from error
        for line in audit.notes():
            self.say(line)
        self.status = audit.tally.finish(parsed_args) or int(
            audit.exempted.left_out > 0
        )
        if any(row[-1].startswith(changes.FAILED) for row in result):
            self.status = 1
        return COLUMNS, result


class _Audit:
    """One audit."""

    def __init__(
        self,
        command: output.Command,
        policy: Policy,
        wanted: Wanted,
        options: argparse.Namespace,
    ) -> None:
        self._app = command.app
        self._say = command.say
        self._images = command.app.client_manager.vhard.images
        self._policy = policy
        self._options = options
        self._journal: Journal | None = None
        self._today = datetime.datetime.now(datetime.UTC).date()
        self._changes = Changes(
            self._images, self._opened, policy, wanted, self._today
        )
        self._auditor = Auditor(policy, self._today)
        self.exempted = exemption_list.ExemptionList("image", self._today)
        self.tally = audits.Tally("images")

    def rows(self) -> Iterator[Row]:
        """Yield a row for each image."""
        try:
            for image in selection.selected(self._app, self._options):
                finding = self._auditor.find(image)
                rows = [] if finding is None else self._rows(finding)
                findings = audits.of_rows(COLUMNS, rows)
                self.tally.add(image["id"], image.get("name"), findings)
                yield from rows
        finally:
            if self._journal is not None:
                self._journal.close()
                self._say(f"Journal: {self._journal.path}")

    def notes(self) -> list[str]:
        """Write the exemptions that are asked for; return what to know."""
        notes = [self.tally.totals()]
        if self._options.write_exemptions:
            notes += exemption_list.finish(
                self.exempted, self._options, self._today
            )
        return notes

    def _rows(self, finding: Finding) -> list[Row]:
        """Return the rows of an image that violates the policy."""
        if self._options.write_exemptions:
            image, violations = finding.image, finding.violations
            self.exempted.add(image["id"], violations, image.get("owner"))
        carry_out, plan = self._changes.carry_out, self._changes.plan
        act = carry_out if self._options.yes else plan
        return list(finding.rows(act(finding)))

    def _opened(self) -> Journal:
        if self._journal is None:
            now = datetime.datetime.now(datetime.UTC)
            path = self._options.journal or (
                f"vhard-images-{now:%Y%m%dT%H%M%SZ}.journal"
            )
            cloud = _cloud(self._images)
            self._journal = Journal(path, cloud, self._policy.digest)
        return self._journal


class RestoreImages(output.Lister):
    """Undo what image audit --fix or --deactivate did, from its journal.

    Only what still is as the audit left it; what somebody changed since is
    named and left alone. The gate of the Glance API judges this like any
    other change: while the policy enforces what is to be restored, it
    refuses; set its mode to audit, or exempt the project, before. Ends with 1
    if an image is not as it was.
    """

    nothing = "0 entries are in the journal"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the journal."""
        parser.add_argument(
            "journal", metavar="<journal>", help="File that the audit wrote."
        )

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[Row]]:
        """Return one row an entry, the last one first."""
        images = self.app.client_manager.vhard.images
        try:
            entries = read(parsed_args.journal, _cloud(images))
        except JournalError as error:
            raise exceptions.CommandError(str(error)) from error
        rows = [
            (clean(entry.image), changes.undo(images, entry))
            for entry in reversed(entries)
        ]
        self.status = int(any(row[1] not in changes.UNDONE for row in rows))
        return ("ID", "State"), rows


def _cloud(images: Any) -> str:
    return str(images.http_client.get_endpoint())
