# SPDX-License-Identifier: Apache-2.0
"""Write the reference of openstack vhard from the commands' own parsers."""

import argparse
import importlib.metadata
from collections.abc import Iterator

from vhard_rst import heading, plain

#: Options of cliff's formatters and of the help itself.
_COMMON = (
    *("help", "formatter", "columns", "noindent", "max_width", "fit_width"),
    *("print_empty", "quote_mode", "prefix", "sort_columns", "sort_direction"),
    "variables",
)


def commands() -> str:
    """Return each command with its usage, its text and its options."""
    group = importlib.metadata.entry_points(group="openstack.vhard.v1")
    parts = []
    for entry in sorted(group):
        name = f"openstack {entry.name.replace('_', ' ')}"
        kind = entry.load().resolve()
        if name != "openstack vhard":
            parser = kind(_App(), None, None).get_parser(name)
            parts.append("\n".join(_command(name, parser)))
    return "\n".join(parts)


class _App:
    """All that a command needs to make its parser."""

    client_manager = None


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield heading(name)
    own = [one for one in parser._actions if one.dest not in _COMMON]
    yield "::\n"
    yield f"  {name} {' '.join(map(_usage, own))}\n"
    for paragraph in (parser.description or "").split("\n\n"):
        yield f"{plain(paragraph)}\n"
    for one in own:
        values = {"default": one.default, "prog": name}
        words = (one.help or "") % {**vars(one), **values}
        yield f"``{_spelled(one)}``\n   {plain(words)}\n"
    if len(own) + 1 < len(parser._actions):
        yield "The output takes ``-f``, ``-c`` and cliff's other options.\n"


def _spelled(one: argparse.Action) -> str:
    """Return an option or an argument, with its value."""
    value = one.metavar or one.dest
    if one.choices is not None and not one.metavar:
        value = f"{{{','.join(map(str, one.choices))}}}"
    if not one.option_strings:
        return str(value)
    names = ", ".join(one.option_strings)
    return names if one.nargs == 0 else f"{names} {value}"


def _usage(one: argparse.Action) -> str:
    """Return what the usage says of an option or an argument."""
    text = _spelled(one).split(", ")[-1]
    more = " ..." if one.nargs in ("*", "+") else ""
    return (
        text + more if one.required and one.nargs != "*" else f"[{text}{more}]"
    )
