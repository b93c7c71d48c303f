# SPDX-License-Identifier: Apache-2.0
"""Guests that libvirt runs and procfs does not show."""

from collections.abc import Iterator

from nova_vhard.host import guests
from nova_vhard.host.host import Host
from nova_vhard.host.root import Unreadable
from nova_vhard.host.words import few


def unseen(
    host: Host, table: guests.Table, evidence: list[str]
) -> Iterator[str]:
    """Yield what libvirt says to run and procfs does not show.

    :param table: what procfs shows
    :param evidence: gets why libvirt was not asked
    """
    seen = {guest.uuid for guest in table.guests}
    try:
        listed = host.libvirt.running()
        missing = [item for item in listed if item.uuid not in seen]
        if missing:
            # Some may just have started, or ended.
            again = {guest.uuid for guest in guests.table(host.root).guests}
            still = {item.uuid for item in host.libvirt.running()} - again
            missing = [item for item in missing if item.uuid in still]
    except Unreadable as error:
        evidence.append(f"not compared with libvirt: {error}")
        return
    if missing:
        names = few(item.name for item in missing)
        yield f"libvirt runs guests that procfs does not show: {names}"
