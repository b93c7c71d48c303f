# SPDX-License-Identifier: Apache-2.0
"""openstack vhard report: reports on the cloud, in HTML and OSCAL."""

import argparse
import datetime
import pathlib

from osc_lib import exceptions

from nova_vhard.common import files
from nova_vhard.osc import output, policies
from nova_vhard.osc.report import component, data, oscal, page


class WriteReport(output.Command):
    """Write an HTML report on hosts and policy violations.

    The page is self-contained: no script, no other file, no network.
    --oscal writes the results of the host checks as OSCAL assessment results,
    for compliance tools. --component writes an OSCAL component definition of
    what nova-vhard contributes to the controls of NIST SP 800-53 and BSI
    Grundschutz++. The page and the assessment results show the weaknesses of
    this cloud, so only you can read the files. Exit status 1 if something
    could not be read.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the files, and the policy."""
        parser.add_argument(
            "--html",
            metavar="<file>",
            help="Page to write; an existing file is replaced atomically.",
        )
        parser.add_argument(
            "--oscal",
            metavar="<file>",
            help="Assessment results to write, in JSON; an existing file is "
            "replaced atomically. If the hosts cannot be read, it is not "
            "written.",
        )
        parser.add_argument(
            "--component",
            metavar="<file>",
            help="Component definition of nova-vhard to write, in JSON.",
        )
        parser.add_argument(
            "--evidence",
            metavar="<file>",
            nargs="+",
            action="extend",
            default=[],
            help="Output of nova-vhard-reporter check --format json on hosts, "
            "or files of its publisher json. The reason and the evidence of "
            "each check, which Placement does not have, are then part of the "
            "report.",
        )
        parser.add_argument(
            "--services",
            metavar="<folder>",
            action="append",
            default=[],
            help="Folder [vhard] state_path of a controller, or a copy of it "
            "(repeat for several). The page then shows the version and the "
            "policy that each service uses, or used when the copy was made.",
        )
        policies.add_option(parser, "Policy to check the cloud against")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Gather everything, then write the files."""
        wanted = [
            (pathlib.Path(path), render)
            for path, render in (
                (parsed_args.html, page.render),
                (parsed_args.component, component.render),
                # Last: it is not written if the hosts cannot be read.
                (parsed_args.oscal, oscal.render),
            )
            if path
        ]
        if not wanted:
            raise output.UsageError(
                "specify a file: --html, --oscal or --component"
            )
        policy = policies.load(parsed_args.policy)
        for path, _ in wanted:
            # Before the requests, which take minutes in a large cloud.
            if not path.parent.is_dir():
                raise exceptions.CommandError(
                    f"{path}: there is no folder {path.parent}"
                )
        now = datetime.datetime.now(datetime.UTC)
        report = data.gather(
            *(self.app, policy, now),
            *(parsed_args.services, parsed_args.evidence),
        )
        for line in report.troubles:
            self.say(line)
            self.status = 1
        for path, render in wanted:
            try:
                files.replace(str(path), render(report))
            except oscal.NotWhole as error:
                raise exceptions.CommandError(f"{path}: {error}") from error
            except OSError as error:
                raise exceptions.CommandError(
                    output.unwritable(path, error)
                ) from error
            self.say(f"Report: {path}")
