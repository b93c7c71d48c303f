# SPDX-License-Identifier: Apache-2.0
"""openstack vhard: the commands, a line each."""

import argparse
import importlib.metadata
from collections.abc import Iterator

from nova_vhard.osc import output


class ListCommands(output.Offline):
    """List the commands of nova-vhard, one on each line.

    "openstack vhard host list --help" shows the help of that command.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the beginning of a name, and the lines to the help."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "words",
            nargs="*",
            metavar="<word>",
            help="List only commands whose names begin with these words, "
            "such as host.",
        )
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        listed = "\n".join(lines(""))
        parser.epilog = f"commands:\n{listed}\n\n{self.get_epilog()}"
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Print the lines."""
        begin = " ".join(parsed_args.words)
        found = list(lines(begin))
        if not found:
            raise output.UsageError(
                f"no command begins with vhard {begin}; openstack vhard lists "
                "all commands"
            )
        for text in found:
            self.answer(text)


def lines(begin: str) -> Iterator[str]:
    """Yield a line for each command whose name begins so, after vhard."""
    entries = importlib.metadata.entry_points(group="openstack.vhard.v1")
    for entry in sorted(entries):
        name = entry.name.replace("_", " ")[len("vhard ") :]
        if name and name.startswith(begin):
            about = entry.load().resolve().__doc__.partition("\n")[0]
            yield f"  {name:19} {about}"
