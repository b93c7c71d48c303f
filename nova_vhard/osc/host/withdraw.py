# SPDX-License-Identifier: Apache-2.0
"""openstack vhard host withdraw: remove the traits and logins of hosts."""

import argparse
import datetime
from collections.abc import Iterable

from osc_lib import exceptions

from nova_vhard.catalogue import traits
from nova_vhard.common.text import clean
from nova_vhard.osc import output, paging
from nova_vhard.osc.host.accounts import Accounts, NotOurs
from nova_vhard.osc.rights import why
from nova_vhard.placement import upkeep
from nova_vhard.placement.client import (
    Placement,
    PlacementError,
    Provider,
    ProviderNotFound,
)


class WithdrawHosts(output.Command):
    """Revoke the credentials of hosts and remove their traits.

    Also removes the traits about one-time-use devices: the cleaner's reports
    and pending requests. Stop the reporter and the cleaner of a host first.
    Otherwise they write the traits again, until their tokens expire from
    Placement's cache ([keystone_authtoken] token_cache_time, five minutes by
    default), or for ever if they use another login. Use --all before you
    uninstall nova-vhard: it also deletes the trait names. Before that, remove
    the traits from the flavors.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the hosts, or all of them."""
        parser.add_argument(
            "host",
            nargs="*",
            metavar="<host>",
            help="Name of the host's resource provider, which is the "
            "hypervisor's host name.",
        )
        parser.add_argument(
            "--all",
            action="store_true",
            help="Every compute node, and every host with a user that host "
            "enroll created.",
        )
        parser.add_argument(
            "--keep-credentials",
            action="store_true",
            help="Do not change Keystone: the credentials from host enroll "
            "stay valid. Required if you do not have the role admin.",
        )
        parser.add_argument(
            "--yes",
            action="store_true",
            help="With --all: do not ask for confirmation.",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Withdraw one host after the other; name those that failed."""
        if bool(parsed_args.host) == parsed_args.all:
            raise output.UsageError("specify hosts, or use --all")
        client = self.cloud
        accounts = None if parsed_args.keep_credentials else client.accounts
        failed = (
            self._all(client.placement, accounts, parsed_args.yes)
            if parsed_args.all
            else self._named(client.placement, accounts, parsed_args.host)
        )
        if failed:
            raise exceptions.CommandError(
                f"not withdrawn: {'; '.join(failed)}"
            )

    def _named(
        self,
        placement: Placement,
        accounts: Accounts | None,
        names: Iterable[str],
    ) -> list[str]:
        failed: list[str] = []
        for name in dict.fromkeys(names):
            known = accounts is not None and self._revoke(
                accounts, name, failed
            )
            try:
                host = placement.provider(name=name)
            except PlacementError as error:
                # The host may already be deleted from Placement. Then it was
                # enough to delete its user.
                if not (known and isinstance(error, ProviderNotFound)):
                    failed.append(f"{clean(name)}: {why(error)}")
                continue
            self._withdraw(placement, host, failed)
        return failed

    def _all(
        self, placement: Placement, accounts: Accounts | None, sure: bool
    ) -> list[str]:
        now = datetime.datetime.now(datetime.UTC)
        every = upkeep.hosts(placement, now)
        if not sure and not _confirmed(len(every)):
            raise exceptions.CommandError("nothing was withdrawn")
        failed: list[str] = []
        if accounts is not None:
            try:
                for name in sorted(accounts.hosts()):
                    self._revoke(accounts, name, failed)
            except paging.ERRORS as error:
                failed.append(
                    f"credentials: {why(error)} (--keep-credentials)"
                )
        lost = frozenset[str]().union(
            *(self._withdraw(placement, host, failed) for host in every)
        )
        try:
            failed += upkeep.forget(placement, now, lost)
        except PlacementError as error:
            failed.append(f"names of traits: {why(error)}")
        return failed

    def _revoke(
        self, accounts: Accounts, name: str, failed: list[str]
    ) -> bool:
        """Delete a host's user; return whether there was one.

        :param failed: gets what went wrong
        """
        try:
            user = accounts.remove(name)
        except (NotOurs, *paging.ERRORS) as error:
            failed.append(
                f"{clean(name)}: its credentials, if it has any, are not "
                f"revoked: {why(error)} (--keep-credentials leaves "
                "them alone)"
            )
            return False
        if user:
            self.answer(
                f"{clean(name)}: user {clean(user, 255)} is gone, and with it "
                "the host's credentials"
            )
        return user is not None

    def _withdraw(
        self, placement: Placement, host: Provider, failed: list[str]
    ) -> frozenset[str]:
        """Withdraw a host; return what it lost.

        :param failed: gets what went wrong
        """
        try:
            lost = upkeep.withdraw(placement, host.uuid, upkeep.EVERY)
            # An attestor that still has the host in its mapping writes it
            # again.
            lost |= placement.update(
                host.uuid, lambda ours: (), traits.ATTESTED
            ).removed
        except PlacementError as error:
            failed.append(f"{clean(host.name)}: {why(error)}")
            return frozenset()
        self.answer(
            f"{clean(host.name)} lost {', '.join(sorted(lost)) or 'nothing'}"
        )
        return lost


def _confirmed(hosts: int) -> bool:
    """Ask the user to confirm; return False without an answer."""
    try:
        answer = input(
            f"Remove nova-vhard's traits from all hosts ({hosts})? [y/N] "
        )
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")
