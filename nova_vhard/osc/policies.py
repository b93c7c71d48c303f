# SPDX-License-Identifier: Apache-2.0
"""The option ``--policy`` of the commands, and the policy that it names."""

import argparse
import os
from collections.abc import Callable

from osc_lib import exceptions

from nova_vhard.common.problems import PolicyError
from nova_vhard.conf.vhard import POLICY_FILE
from nova_vhard.policy import document
from nova_vhard.policy.model import Policy
from nova_vhard.policy.watch import DISABLED, disabled

#: The variable that names the policy of the cloud, as OS_CLOUD the cloud.
ENVIRONMENT = "OS_VHARD_POLICY"


def add_option(
    parser: argparse.ArgumentParser,
    what: str = "Policy to use",
    default: bool = True,
) -> None:
    """Add the option.

    :param what: what the policy is for, for the help
    :param default: whether the option has a default
    """
    name = default_policy() if default else None
    end = f"; default {ENVIRONMENT}, or {POLICY_FILE}" if default else ""
    parser.add_argument(
        "--policy",
        metavar="<file>",
        default=name,
        help=f"{what}: a file, or {' or '.join(document.SHIPPED)}, which "
        f"ship with the package{end}. If it has errors, nothing is "
        "checked and the exit status is 1.",
    )


def default_policy() -> str:
    """Return the default of the option ``--policy``."""
    return os.environ.get(ENVIRONMENT) or POLICY_FILE


def load(name: str, say: Callable[[str], None] | None = None) -> Policy:
    """Return a policy.

    :param name: a path, or the name of a shipped policy
    :param say: prints a warning if a file next to the policy disables it
    :raises osc_lib.exceptions.CommandError: with every fault of every file
    """
    if say and disabled(document.resolve(name)):
        say(
            f"{name}{DISABLED} exists: services that read this policy refuse "
            "nothing"
        )
    try:
        return document.load(document.resolve(name))
    except PolicyError as error:
        raise failure(error) from error


def failure(
    error: PolicyError, option: str = " with --policy"
) -> exceptions.CommandError:
    """Return the error that ends a command with one line.

    :param option: how the command takes the name of a policy
    """
    text, first = str(error), error.problems[0]
    if first.line == 0 and not os.path.exists(first.file):
        text += (
            f"; specify one{option}, such as baseline, or set {ENVIRONMENT}"
        )
    return exceptions.CommandError(text)
