# SPDX-License-Identifier: Apache-2.0
"""openstack vhard host enroll: credentials that are limited to one host."""

import argparse
import contextlib
import datetime
import os
import re
import stat
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from osc_lib import exceptions
from oslo_utils import uuidutils

from nova_vhard.catalogue import device_words
from nova_vhard.common import files
from nova_vhard.common.text import clean
from nova_vhard.osc import output, paging
from nova_vhard.osc.host import access
from nova_vhard.osc.host.accounts import (
    ROLES,
    Accounts,
    NotOurs,
)
from nova_vhard.osc.rights import why
from nova_vhard.placement import devices, names
from nova_vhard.placement.client import Placement, PlacementError, Provider

#: What can go wrong with one host.
ERRORS = (NotOurs, PlacementError, OSError, *paging.ERRORS)

_COMPUTE = "COMPUTE_NODE"
# It becomes part of a path, and of a user's name.
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
#: Most devices of a host. Each adds four access rules, and Placement compares
#: every request with all rules.
_MOST_DEVICES = 128

_FILE = """\
# For {program} of {host}, provider {provider}.
# This file contains a secret: it must be owned by root, with mode 0600. It
# becomes invalid with openstack vhard host withdraw {host}.
[placement]
auth_section = vhard_host
{region}
[vhard_host]
auth_type = v3applicationcredential
auth_url = {url}
application_credential_id = {id}
application_credential_secret = {secret}
"""


class Plan(NamedTuple):
    """Files and access rules to create for a host.

    :ivar files: program to the path of its file
    :ivar rules: program to its access rules
    """

    host: Provider
    files: dict[str, str]
    rules: dict[str, list[access.Rule]]


def add_prefix(parser: argparse.ArgumentParser) -> None:
    """Add the path that Placement is served under."""
    parser.add_argument(
        "--path-prefix",
        metavar="<path>",
        help="Path under which Placement is served, such as /placement, or / "
        "for none (default: the path of its endpoint in the catalogue). With "
        "a wrong path, Placement refuses all requests of an enrolled host.",
    )


def path_prefix(client: Any, given: str | None) -> str:
    """Return the path that Placement is served under, without a last ``/``.

    :raises osc_lib.exceptions.CommandError: if there is no endpoint
    """
    if given is not None:
        return f"/{given.strip('/')}".rstrip("/")
    url = client.placement_url()
    if not url:
        raise exceptions.CommandError(
            "the catalogue has no internal or public endpoint of Placement: "
            "add one, or specify --path-prefix"
        )
    return urlsplit(str(url)).path.rstrip("/")


class EnrollHosts(output.Command):
    """Create credentials for the reporter and the cleaner of each host.

    Creates the trait names that reports need in the next 14 days. For each
    host, creates a user with a random password, which is not stored, and
    application credentials of that user. Their access rules allow reading
    from Placement and writing to the host's own provider; those of the
    cleaner also allow writing to the providers of the host's one-time-use
    devices. Writes the files to <folder>/<host>; copy them to /etc/nova-vhard
    on the host, owned by root. Needs the role admin. Also needs the roles
    vhard-reporter and vhard-cleaner, Placement's sample policy, and
    service_type = placement and service_token_roles_required = true in
    [keystone_authtoken] of Placement's configuration.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the hosts, and where things are."""
        parser.add_argument(
            "host",
            nargs="+",
            metavar="<host>",
            help="Name of the host's resource provider, which is the "
            "hypervisor's host name, or its uuid.",
        )
        parser.add_argument(
            "--folder",
            default=".",
            metavar="<folder>",
            help="Folder in which to create a folder for each host (default: "
            "the current folder).",
        )
        parser.add_argument(
            "--project",
            default="service",
            metavar="<project>",
            help="Name or id of the project in which the users get their "
            "roles (default: %(default)s).",
        )
        parser.add_argument(
            "--auth-url",
            metavar="<url>",
            help="Keystone's URL for hosts (default: yours).",
        )
        add_prefix(parser)
        parser.add_argument(
            "--force",
            action="store_true",
            help="Also enroll hosts that are enrolled already: create their "
            "users again and replace their files. The old credentials become "
            "invalid at once.",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Enroll one host after the other; name those that failed."""
        client = self.cloud
        prefix = path_prefix(client, parsed_args.path_prefix)
        # A host's own login cannot create trait names.
        names.make(client.placement, datetime.datetime.now(datetime.UTC))
        failed = []
        for host in dict.fromkeys(parsed_args.host):
            try:
                plan = _plan(client.placement, host, prefix, parsed_args)
                self._enroll(client, plan, parsed_args)
            except ERRORS as error:
                failed.append(f"{clean(host)}: {_why(error)}")
        if failed:
            raise exceptions.CommandError(f"not enrolled: {'; '.join(failed)}")

    def _enroll(
        self, client: Any, plan: Plan, options: argparse.Namespace
    ) -> None:
        """Create the user, credentials and files of a plan, or nothing."""
        accounts: Accounts = client.accounts
        name, url = plan.host.name, options.auth_url or accounts.url
        login = accounts.make(
            name, plan.host.uuid, options.project, plan.files, options.force
        )
        # With force also the existing files: their credentials are invalid.
        written = list(plan.files.values()) if options.force else []
        try:
            made = {
                program: login.issue(program, rules)
                for program, rules in plan.rules.items()
            }
            for program, credential in made.items():
                text = _FILE.format(
                    program=program,
                    host=plan.host.name,
                    provider=plan.host.uuid,
                    region=f"region_name = {clean(client.region, 255)}\n"
                    if client.region
                    else "",
                    url=clean(url, 2048),
                    id=credential.id,
                    secret=credential.secret,
                )
                write = files.replace if options.force else files.create
                # oslo.config replaces what follows a $.
                write(plan.files[program], text.replace("$", "$$"), 0o600)
                written.append(plan.files[program])
        except BaseException as error:
            # Their credentials are void.
            for path in written:
                with contextlib.suppress(OSError):
                    os.unlink(path)
            accounts.undo(login.user, error)
            raise
        self.answer(f"{name}: user {clean(login.user.name, 255)} made")
        for program, credential in made.items():
            self.answer(
                f"{name}: {plan.files[program]}: application credential "
                f"{clean(credential.id)} with role {ROLES[program]} and "
                f"{len(plan.rules[program])} access rules, for provider "
                f"{plan.host.uuid}"
            )


def _why(error: Exception) -> str:
    """Return an error's text; a system error names the file first."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return output.unwritable(error.filename2 or error.filename, error)
    return why(error)


def _plan(
    placement: Placement, name: str, prefix: str, options: argparse.Namespace
) -> Plan:
    """Return the files and access rules to create for a host.

    Makes the names of its devices' traits, which its login cannot.

    :raises NotOurs: if it is not a compute node, a file already exists, or the
        folder is not the user's alone
    :raises OSError: if the folder cannot be created
    """
    host = placement.provider(
        name if uuidutils.is_uuid_like(name) else None, name
    )
    name = host.name
    if not _HOST.fullmatch(name):
        raise NotOurs("its provider's name is not a host name")
    if _COMPUTE not in placement.traits_of(host.uuid)[0]:
        raise NotOurs("its provider is not a compute node (no COMPUTE_NODE)")
    offered = devices.offered(placement, host)[0]
    if len(offered) > _MOST_DEVICES:
        raise NotOurs(f"more than {_MOST_DEVICES} one-time-use devices")
    programs = [name for name in ROLES if name != "cleaner" or offered]
    placement.make(
        frozenset(
            device_words.of_device(device.address, word)
            for device in offered
            for word in device_words.WORDS
        )
    )
    uuids = [device.provider.uuid for device in offered]
    rules = {
        program: access.below(prefix, access.RULES[program](host.uuid, uuids))
        for program in programs
    }
    folder = os.path.join(options.folder, name)
    paths = {
        program: os.path.join(folder, f"{program}-placement.conf")
        for program in programs
    }
    for path in paths.values():
        if os.path.lexists(path) and not options.force:
            raise NotOurs(f"{path} already exists; --force replaces it")
    # For its owner alone: others must not put something else in its place.
    os.makedirs(folder, mode=0o700, exist_ok=True)
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise NotOurs(
            f"{folder} is not a folder that you own: specify another --folder"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise NotOurs(f"others may write to {folder}: chmod 0700 {folder}")
    return Plan(host, paths, rules)
