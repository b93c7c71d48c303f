# SPDX-License-Identifier: Apache-2.0
"""openstack vhard image audit, and restore."""

import argparse
import datetime
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

from osc_lib import exceptions

from nova_vhard.common.text import clean
from nova_vhard.osc import audits, exemption_list, output, paging, policies
from nova_vhard.osc.image import changes
from nova_vhard.osc.image.changes import Changes, Wanted
from nova_vhard.osc.image.images import COLUMNS, Auditor, Image, Row
from nova_vhard.osc.image.journal import (
    Journal,
    JournalError,
    read,
)

_PAGE = 500


class AuditImages(audits.AuditCommand):
    """List images that violate the policy, their owners, and the fixes.

    --fix sets a property only if the policy names a safe replacement
    (guest_devices.*.replace). Without --yes, the changes are only listed.
    With --yes, a journal is written, from which openstack vhard image restore
    can undo the changes. Exit status 1 if a change failed.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add which images, and what to do about them."""
        parser.add_argument(
            "image",
            nargs="*",
            metavar="<image>",
            help="Names or ids of images.",
        )
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--all",
            action="store_true",
            help="Every image that is visible to you.",
        )
        which.add_argument(
            "--public", action="store_true", help="Public images only."
        )
        which.add_argument(
            "--project", metavar="<project>", help="Images of a project."
        )
        policies.add_option(parser, "Policy to check images against")
        parser.add_argument(
            "--fix",
            action="store_true",
            help="Set properties to the safe replacements in the policy.",
        )
        parser.add_argument(
            "--deactivate",
            action="store_true",
            help="Deactivate images that violate the policy (with --fix: "
            "that still violate it).",
        )
        parser.add_argument(
            "--yes",
            action="store_true",
            help="Apply the changes. Without this "
            "option they are only listed.",
        )
        parser.add_argument(
            "--journal",
            metavar="<file>",
            help="Journal file for the changes; must not exist yet "
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
            raise output.UsageError("--yes requires --fix or --deactivate")
        exempted = exemption_list.start("image", parsed_args)
        policy = policies.load(parsed_args.policy)
        images = self.cloud.images
        now = datetime.datetime.now(datetime.UTC)
        auditor = Auditor(policy, now.date())
        tally = audits.Tally("images")
        result: list[Row] = []
        journal = Journal(
            parsed_args.journal
            or f"vhard-images-{now:%Y%m%dT%H%M%SZ}.journal",
            _cloud(images),
            policy.digest,
        )
        change = Changes(images, journal, policy, wanted, now.date())
        act = change.carry_out if parsed_args.yes else change.plan
        try:
            for image in _selected(self.app, parsed_args):
                finding = auditor.find(image)
                rows: list[Row] = []
                if finding is not None:
                    rows += finding.rows(act(finding))
                    if exempted is not None:
                        exempted.add(
                            image["id"], finding.violations, image.get("owner")
                        )
                findings = audits.of_rows(COLUMNS, rows)
                tally.add(image["id"], image.get("name"), findings)
                result += rows
        except JournalError as error:
            raise exceptions.CommandError(
                f"stopped, no further changes: {error}"
            ) from error
        except paging.GLANCE_ERRORS as error:
            raise exceptions.CommandError(f"Glance: {error}") from error
        finally:
            if journal.close():
                self.say(f"Journal: {journal.path}")
        self.conclude(parsed_args, tally, exempted=exempted)
        if any(row[-1].startswith(changes.FAILED) for row in result):
            self.status = 1
        return COLUMNS, result


class RestoreImages(output.Lister):
    """Undo what image audit --fix or --deactivate did, from its journal.

    Restores only properties and states that were not changed since; the
    others are listed and not changed. The Glance API gate checks this like
    any other change, and refuses to restore a value that the policy does not
    allow. Set the mode to audit or exempt the project first. Exit status 1 if
    an image was not restored.
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
        images = self.cloud.images
        entries = read(parsed_args.journal, _cloud(images))
        rows = [
            (clean(entry.image), changes.undo(images, entry))
            for entry in reversed(entries)
        ]
        self.status = int(any(row[1] not in changes.UNDONE for row in rows))
        return ("ID", "State"), rows


def _cloud(images: Any) -> str:
    return str(images.http_client.get_endpoint())


def _selected(app: Any, options: argparse.Namespace) -> Iterator[Image]:
    """Yield the images that the options name.

    :param app: openstackclient's application
    :raises UsageError: if they name none
    :raises CommandError: if one is not found
    """
    images = app.client_manager.vhard.images
    if options.image:
        for name in options.image:
            yield audits.find(
                "image",
                name,
                images.get,
                paging.GLANCE_ERRORS,
                lambda name: listed(images, {"name": name}),
            )
        return
    filters = {}
    if options.public:
        filters["visibility"] = "public"
    elif options.project:
        filters["owner"] = audits.project_id(app, options.project)
    elif not options.all:
        raise output.UsageError(
            "specify images, or use --all, --public or --project"
        )
    yield from listed(images, filters)


def listed(images: Any, filters: dict[str, Any]) -> Iterator[Image]:
    """Yield images page by page, first visible ones, then hidden ones.

    One listing of Glance never contains both. The pages are read as Glance
    returns them, because glanceclient's own list builds a model of each image,
    which takes longer than checking the image.

    :param images: glanceclient's images
    :param filters: filters of Glance's image list, names to values
    :raises glanceclient.exc.CommunicationError: if a page is invalid
    """
    shown = {"visibility": "all", **filters, "limit": _PAGE}
    for hidden in ("false", "true"):
        query = urlencode({**shown, "os_hidden": hidden})
        yield from paging.of_glance(
            images.http_client, f"/v2/images?{query}", "images", "id"
        )
