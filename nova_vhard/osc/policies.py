# SPDX-License-Identifier: Apache-2.0
"""The option ``--policy`` of the commands that judge by a policy."""

import argparse

from osc_lib import exceptions

from nova_vhard.common.problems import PolicyError
from nova_vhard.policy import document
from nova_vhard.policy.model import Policy

DEFAULT = "/etc/nova-vhard/policy.yaml"


def add_option(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the option.

    :param what: what the policy is for, for the help
    """
    parser.add_argument(
        "--policy",
        metavar="<file>",
        default=DEFAULT,
        help=f"{what} (default: %(default)s)",
    )


def load(path: str) -> Policy:
    """Return a policy.

    :raises CommandError: with every fault of the file
    """
    try:
        return document.load(path)
    except PolicyError as error:
        raise exceptions.CommandError(str(error)) from error
