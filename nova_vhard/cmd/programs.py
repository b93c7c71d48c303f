# SPDX-License-Identifier: Apache-2.0
"""Entry points of the programs that need an extra of the package.

What the gates need is all that ``pip install nova-vhard`` brings: a program
may be there without the packages that it is made of.
"""

import importlib
from collections.abc import Sequence

from nova_vhard.common import terminal

#: Status of a program that could not start.
NOT_STARTED = 255


def attestor(argv: Sequence[str] | None = None) -> int:
    """Run nova-vhard-attestor; return its exit status."""
    return _run("attestor", "nova_vhard.cmd.attestor", "attestor", argv)


def cleaner(argv: Sequence[str] | None = None) -> int:
    """Run nova-vhard-cleaner; return its exit status."""
    return _run("cleaner", "nova_vhard.cmd.cleaner", "cleaner", argv)


def exporter(argv: Sequence[str] | None = None) -> int:
    """Run nova-vhard-exporter; return its exit status."""
    return _run("exporter", "nova_vhard.cmd.exporter", "exporter", argv)


def guard(argv: Sequence[str] | None = None) -> int:
    """Run nova-vhard-guard; return its exit status."""
    return _run("guard", "nova_vhard.cmd.guard", "guard", argv)


def reporter(argv: Sequence[str] | None = None) -> int:
    """Run nova-vhard-reporter; return its exit status."""
    return _run("reporter", "nova_vhard.cmd.reporter", "node", argv)


def status(argv: Sequence[str] | None = None) -> int:
    """Run nova-vhard-status; return its exit status."""
    return _run("status", "nova_vhard.cmd.status", "client", argv)


def _run(
    name: str, module: str, extra: str, argv: Sequence[str] | None
) -> int:
    """Run the ``main`` of a module, or say which extra it lacks."""
    try:
        program = importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "nova_vhard").partition(".")[0]
        if package == "nova_vhard":
            raise
        terminal.complain(
            f"nova-vhard-{name}: the Python package {package} is not "
            f"installed: install nova-vhard[{extra}]"
        )
        return NOT_STARTED
    return int(program.main(argv))
