# SPDX-License-Identifier: Apache-2.0
"""openstack vhard report: the cloud as one page to look at."""

import argparse
import datetime
import pathlib

from osc_lib import exceptions

from nova_vhard.common import files
from nova_vhard.osc import output, policies
from nova_vhard.osc.report import data, page


class WriteReport(output.Command):
    """Write the fleet, and what violates the policy, as one HTML page

    The page needs nothing but itself: no script, no other file, no network.
    It shows where this cloud is weak: only you may read the file.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the file, and the policy."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--html",
            metavar="<file>",
            required=True,
            help="file to write; one that is there is replaced in one step",
        )
        policies.add_option(parser, "policy by which everything is judged")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Gather everything, then write the file."""
        policy = policies.load(parsed_args.policy)
        path = pathlib.Path(parsed_args.html)
        if not path.parent.is_dir():
            text = f"{path}: there is no folder {path.parent}"
            raise exceptions.CommandError(text)
        now = datetime.datetime.now(datetime.UTC)
        report = data.gather(self.app, policy, now)
        try:
            files.replace(str(path), page.render(report))
        except OSError as error:
            text = f"{path} cannot be written: {error.strerror}"
            raise exceptions.CommandError(text) from error
        for line in (*report.troubles, f"Report: {path}"):
            self.say(line)
