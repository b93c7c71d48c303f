# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-status: check whether the policy is in force.

Exit status 0 if all is well, 1 for any warning, 2 for any failure and for
wrong arguments, 255 if the command itself could not run.
"""

import functools
import os
import pwd
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck
from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.cmd import version
from nova_vhard.common import terminal
from nova_vhard.common.text import line
from nova_vhard.conf import status as status_conf
from nova_vhard.status import (
    attestation,
    cloud,
    gates,
    options,
    permissions,
    policy,
    probe,
    settings,
)
from nova_vhard.status.answers import (
    Broken,
    NotHere,
    fail,
    warn,
)
from nova_vhard.status.node import Node

_CRASHED = 255
_NAME = "nova-vhard-status"

#: Name to function, in the order of the table.
CHECKS: dict[str, Callable[[Node], Result]] = {
    "Policy": policy.policy,
    "Options": options.options,
    "Scheduler filter": gates.scheduler,
    "Nova API gate": gates.nova_api,
    "Glance API gate": gates.glance_api,
    "Glance import gate": gates.imports,
    "Placement": cloud.placement,
    "Access rules": settings.access_rules,
    "Service user token": settings.service_token,
    "PCI passthrough": settings.pci_passthrough,
    "Passthrough flavors": cloud.flavors,
    "Reporters": cloud.reporters,
    "Attestation": attestation.attestation,
    "Image signatures": settings.signatures,
    "Image metadata prefilter": settings.prefilter,
    "Defaults of nova-compute": settings.defaults,
    "Owners and modes": permissions.permissions,
}


class Checks(upgradecheck.UpgradeCommands):  # type: ignore[misc]
    """The checks, as oslo.upgradecheck runs them."""

    display_title = "nova-vhard Status Check Results"

    #: Name to function, in the order of the table.
    checks = CHECKS

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Keep the command's options, which are parsed later."""
        node = Node(conf)
        self._upgrade_checks = tuple(
            (name, functools.partial(_run, check, node))
            for name, check in self.checks.items()
        )


class Probes(Checks):
    """Requests to the running APIs, for the command ``probe``."""

    display_title = "nova-vhard Probe Results"
    checks = probe.CHECKS


class SchedulerProbe(Checks):
    """Check of a test boot, for the command ``probe-scheduler``."""

    display_title = "nova-vhard Scheduler Probe Results"
    checks = probe.SCHEDULER_CHECKS


#: Command to its checks, beside oslo.upgradecheck's own.
_PROBES: Mapping[str, type[Checks]] = {
    "probe": Probes,
    "probe-scheduler": SchedulerProbe,
}


#: For --help, since oslo.upgradecheck only describes its own command.
_COMMANDS = (
    "Commands: upgrade check checks files and services; probe sends requests "
    "to the running APIs of Nova and Glance; probe-scheduler boots a server "
    "and deletes it; filters prints the section [filter_scheduler] to write "
    "to nova.conf, with our filter before the present ones. All commands "
    "except filters accept --json."
)


class _Options(cfg.ConfigOpts):  # type: ignore[misc]
    """The command line; oslo.upgradecheck gives it no version and no user."""

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Parse it; become the user whose view is asked for.

        :raises Broken: if that is not possible
        """
        super().__call__(
            *args, version=version.of(_NAME), epilog=_COMMANDS, **kwargs
        )
        if self.user:
            try:
                entry = pwd.getpwnam(self.user)
                os.initgroups(entry.pw_name, entry.pw_gid)
                os.setgid(entry.pw_gid)
                os.setuid(entry.pw_uid)
            except (KeyError, OSError) as error:
                raise Broken(f"--user {self.user}: {error}") from error


def _run(
    check: Callable[[Node], Result], node: Node, command: Checks
) -> Result:
    """Run one check; report a broken or missing file as its result."""
    try:
        result = check(node)
    except NotHere as error:
        result = warn(
            f"Not checked: {error} does not exist on this node, or this "
            "user cannot see it. Run this command where the service runs, "
            "or specify its file (--help)."
        )
    except Broken as error:
        result = fail(f"Not checked: {error}.")
    except cfg.Error as error:
        result = fail(f"An option has an invalid value: {error}")
    except Exception as error:  # noqa: BLE001 - the others still say theirs
        result = fail(f"The check crashed: {type(error).__name__}: {error}")
    return Result(result.code, line(result.details))


def chosen(arguments: list[str]) -> tuple[type[Checks], list[str]]:
    """Return the checks that are asked for, and oslo.upgradecheck's words.

    It knows the command ``upgrade check`` only, whose results it prints.
    """
    named = [word for word in arguments if word in _PROBES]
    checks = Checks
    if len(named) == 1 and "upgrade" not in arguments:
        checks = _PROBES[named[0]]
        place = arguments.index(named[0])
        if {"-h", "--help"} & set(arguments[place:]):
            return Checks, ["--help"]
        arguments[place : place + 1] = ["upgrade", "check"]
    if "upgrade" in arguments:
        # oslo.upgradecheck takes --json behind the command alone.
        place = arguments.index("upgrade") + 2
        arguments = [*arguments[place:], *arguments[:place]]
        if "--json" in arguments[:-2]:
            arguments.remove("--json")
            arguments.append("--json")
    return checks, arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    conf = _Options()
    status_conf.register(conf)
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if "filters" in arguments:
            arguments.remove("filters")
            conf(arguments, project=_NAME, default_config_files=[])
            terminal.show(gates.filters(Node(conf)))
            return 0
        commands, arguments = chosen(arguments)
        return int(
            upgradecheck.main(
                conf,
                _NAME,
                commands(conf),
                arguments,
                default_config_files=[],
            )
        )
    except NotHere as error:
        terminal.complain(
            f"{_NAME}: {error}: not found, or not visible to this user: "
            "specify the service's file (--help)"
        )
    except (cfg.Error, Broken) as error:
        terminal.complain(f"{_NAME}: {error}")
    except SystemExit as ended:
        # --help, --version, or wrong arguments, by argparse.
        return int(ended.code or 0)
    return _CRASHED
