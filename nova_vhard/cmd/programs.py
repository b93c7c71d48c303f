# SPDX-License-Identifier: Apache-2.0
"""Entry points of the programs that need an extra of the package.

``pip install nova-vhard`` installs only the dependencies of the gates, so a
program may be installed without the packages that it needs.
"""

import functools
import importlib
from collections.abc import Sequence

from nova_vhard.common import terminal

#: Status of a program that could not start.
NOT_STARTED = 255


def _run(name: str, extra: str, argv: Sequence[str] | None = None) -> int:
    """Run a program, or say which extra it lacks; return its exit status.

    :param name: of its module, and of the program after ``nova-vhard-``
    """
    try:
        program = importlib.import_module(f"nova_vhard.cmd.{name}")
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


attestor = functools.partial(_run, "attestor", "attestor")
cleaner = functools.partial(_run, "cleaner", "cleaner")
exporter = functools.partial(_run, "exporter", "exporter")
guard = functools.partial(_run, "guard", "guard")
reporter = functools.partial(_run, "reporter", "node")
status = functools.partial(_run, "status", "client")
