# SPDX-License-Identifier: Apache-2.0
"""openstack vhard policy metadefs: offer what the policy allows."""

import argparse
import datetime
from collections.abc import Callable, Iterable
from typing import Any

from osc_lib import exceptions

from nova_vhard.common.text import clean
from nova_vhard.osc import output, paging, policies
from nova_vhard.osc.image.changes import failed
from nova_vhard.osc.policy import definitions
from nova_vhard.osc.policy.definitions import (
    RESTORED,
    Change,
    Definitions,
)

COLUMNS = ("Namespace", "Property", "Offered", "Before", "State")

Row = tuple[Any, ...]


class OfferAllowed(output.Lister):
    """Write what the policy allows into Glance's metadata definitions.

    Horizon's dialogs then offer only allowed values, and the descriptions
    name the policy as the reason. Users can list them with openstack image
    metadef. Without --yes, the changes are only listed. The previous
    definitions are saved in a file, from which --undo restores them, unless
    they were changed since, for example by glance-manage db_load_metadefs.
    Needs the role admin.
    """

    nothing = "0 definitions differ from what the policy allows"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the policy, and what to do."""
        policies.add_option(parser, "Policy with the values to offer")
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--yes",
            action="store_true",
            help="Apply the changes. Without this "
            "option they are only listed.",
        )
        what.add_argument(
            "--undo",
            metavar="<file>",
            help="Restore the definitions in this file, unless they were "
            "changed since.",
        )
        parser.add_argument(
            "--journal",
            metavar="<file>",
            help="With --yes: file for the previous definitions; must not "
            "exist yet (default: vhard-metadefs-TIME.json in this "
            "folder).",
        )

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], list[Row]]:
        """Return one row a definition that differs."""
        if parsed_args.journal and not parsed_args.yes:
            raise output.UsageError("--journal requires --yes")
        glance = Definitions(self.cloud.images)
        try:
            if parsed_args.undo:
                self.nothing = f"0 definitions are in {parsed_args.undo}"
                return COLUMNS, (
                    self._each(
                        definitions.read(parsed_args.undo, glance.cloud),
                        lambda change: definitions.undo(glance, change),
                        RESTORED,
                        "as before already",
                    )
                )
            return COLUMNS, self._offer(glance, parsed_args)
        except paging.GLANCE_ERRORS as error:
            raise exceptions.CommandError(f"Glance: {error}") from error

    def _offer(
        self, glance: Definitions, options: argparse.Namespace
    ) -> list[Row]:
        policy = policies.load(options.policy)
        changes = list(glance.changes(policy))
        if not options.yes or not changes:
            return [_row(change, "would be set") for change in changes]
        now = datetime.datetime.now(datetime.UTC)
        path = options.journal or f"vhard-metadefs-{now:%Y%m%dT%H%M%SZ}.json"
        definitions.write(path, glance.cloud, policy.digest, changes)
        self.say(f"Journal: {path}")
        return self._each(changes, lambda change: _put(glance, change), "set")

    def _each(
        self,
        changes: Iterable[Change],
        action: Callable[[Change], str],
        *good: str,
    ) -> list[Row]:
        """Return the rows with the results; set the exit status."""
        rows = [_row(change, action(change)) for change in changes]
        self.status = 0 if all(row[-1] in good for row in rows) else 1
        return rows


def _put(glance: Definitions, change: Change) -> str:
    try:
        glance.put(change.namespace, change.name, change.after)
    except paging.GLANCE_ERRORS as error:
        return failed(error)
    return "set"


def _row(change: Change, state: str) -> Row:
    """Return a row of the table."""
    return (
        clean(change.namespace, 255),
        clean(change.name, 255),
        output.Cell(list(map(clean, change.after["enum"])), none="(nothing)"),
        output.Cell(change.was, none="(any)"),
        state,
    )
