# SPDX-License-Identifier: Apache-2.0
"""All guests of a host, including those that procfs does not show."""

from collections.abc import Callable, Iterator

from nova_vhard.host import guests
from nova_vhard.host.check import Answer, unknown
from nova_vhard.host.guests import PROC, Guest
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt.running import WHOLE_TABLE
from nova_vhard.host.mac import mac
from nova_vhard.host.root import Unreadable
from nova_vhard.host.sanitized import few


def hidden_guests(host: Host, table: guests.Table) -> Iterator[str]:
    """Yield why guests may be hidden.

    Either libvirt lists some that procfs does not show, or neither can list
    them all.

    :param table: what procfs shows
    """
    # By uuid, which libvirt writes into the command line: a name can be used
    # again.
    seen = {guest.uuid for guest in table.guests}
    try:
        # Two witnesses: a container or hidepid hides processes, and libvirt
        # hides QEMUs that it did not start.
        listed = host.libvirt.running()
        missing = [item for item in listed if item.uuid not in seen]
        if missing:
            # Some may just have started, or ended.
            having = {item.uuid for item in missing}
            table = guests.table(host, having=having)
            again = {guest.uuid for guest in table.guests}
            still = {item.uuid for item in host.libvirt.running()} - again
            missing = [item for item in missing if item.uuid in still]
    except Unreadable as error:
        host.root.note(f"not compared with libvirt: {error}")
        # libvirt is not needed where procfs shows the processes of all users.
        if not (host.root.captured or guests.complete(host.root)):
            yield "neither libvirt nor /proc shows all guests"
        return
    if missing:
        names = few(item.name for item in missing)
        yield f"libvirt runs guests that /proc does not show: {names}"


def of_each(
    host: Host,
    judge: Callable[[guests.Table, Guest], Answer],
) -> list[Answer]:
    """Return the answers for all guests of a host; empty without guests.

    A guest that cannot be seen is UNKNOWN; one that has ended is left out.

    :param judge: may raise Unreadable
    """
    table = guests.table(host)
    troubles = [*table.unknown, *hidden_guests(host, table)]
    result = [unknown(trouble, WHOLE_TABLE) for trouble in troubles]
    for guest in table.guests:
        answer = mac.attempt(judge, table, guest)
        # After the judgement: a guest that ended in the middle of it may look
        # like a bad one.
        if host.root.exists(f"{PROC}/{guest.pid}"):
            result.append(answer)
    return result
