# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-21: each running guest is confined by a label of its own."""

from collections import defaultdict
from collections.abc import Hashable, Iterator

from nova_vhard.host import guests
from nova_vhard.host.all_guests import hidden_guests
from nova_vhard.host.check import (
    Answer,
    Check,
    Status,
    failed,
    passed,
    unknown,
    unread,
)
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt.running import WHOLE_TABLE
from nova_vhard.host.mac import apparmor, mac, selinux
from nova_vhard.host.root import Unreadable
from nova_vhard.host.sanitized import few, shown

_GOOD = passed("")

# Neither libvirt nor the kernel says which model counts: a label may still
# show that its guest is not confined.
_NOT_SURE = ""


class MacGuests(Check):
    """The process of each guest has a guest's label that no other guest has.

    With AppArmor that is ``libvirt-UUID (enforce)``, with SELinux ``svirt_t``
    or ``svirt_tcg_t`` and two categories.

    =========  ===========================================================
    PASS       all do; or no guest runs, and ``mac_confinement`` passes
    FAIL       a guest has another label or shares its own, its domain is
               permissive, or nothing is enforced
    UNKNOWN    a label or a guest cannot be read, or no guest runs and it
               is unknown whether the next one is confined
    =========  ===========================================================
    """

    name = "mac_guests"
    id = "Check-Virt-21"
    title = "Each running guest is confined by its own label"
    guide = "sVirt"
    meaning = (
        "The process of each guest has a label for guests, no two guests "
        "have the same label, and the kernel enforces it. If no guest is "
        "running, this check passes if Check-Virt-20 passes: the first "
        "guest will be confined."
    )
    remediation = (
        "If neither SELinux nor AppArmor is active, boot the kernel with "
        "one of them, set it to enforce, and restart libvirtd or virtqemud "
        "(Check-Virt-20). Then stop and start the guests in the evidence, "
        "or migrate them away: a guest gets its label when it starts. Set "
        "AppArmor profiles back to enforce mode with aa-enforce. Remove "
        "seclabel elements of type static or none from the domains."
    )

    def answer(self, host: Host) -> Answer:
        """Judge the labels in procfs."""
        answers: list[Answer] = []
        try:
            model = mac.active_model(host)
        except Unreadable as error:
            model = _NOT_SURE
            answers.append(unread(error))
        # Where several modules run, AppArmor's label is in a file of its own.
        table = guests.table(host, model == mac.APPARMOR)
        # A guest that only libvirt knows may share the label of one that is
        # seen.
        troubles = [*table.unknown, *hidden_guests(host, table)]
        if not (table.guests or troubles or answers):
            if not guests.complete(host.root):
                return unknown(
                    "no guest is visible, but not all processes are "
                    "visible either (PID namespace, hidepid)",
                    WHOLE_TABLE,
                )
            return mac.without_guests(mac.confinement(host))
        answers += [unknown(trouble, WHOLE_TABLE) for trouble in troubles]
        judged = [(guest, _judge(guest, model)) for guest in table.guests]
        # A report has room for some lines only: the worst come first.
        judged.sort(key=lambda item: item[1][0] is Status.PASS)
        host.root.note(
            *(
                f"{each.source}: "
                f"{shown(each.label or f'({each.trouble})', 100)} "
                f"({shown(each.name)})"
                for each, _ in judged
            )
        )
        answers += [answer for _, answer in judged]
        # sVirt keeps guests apart by labels alone: with one label for two, the
        # QEMU of one may open the other's images.
        answers += _shared(table.guests)
        # A label in procfs says nothing about a permissive domain.
        if model:
            labels = [
                guest.label
                for guest in table.guests
                if (label := selinux.parse(guest.label))
                and label.type in selinux.GUESTS
            ]
            answers.append(mac.attempt(mac.effective, host, model, labels))
        answer = mac.settle(answers)
        if answer.status is Status.PASS:
            return passed(f"all {len(judged)} guests have their own label")
        return answer


def _judge(guest: guests.Guest, model: str | None) -> Answer:
    if model is None:
        # Whatever a label says; such a kernel has none to read.
        return failed(
            "neither SELinux nor AppArmor is active: guests are unconfined"
        )
    if guest.trouble:
        return unknown(f"the label of {shown(guest.name)} cannot be read")
    label = selinux.parse(guest.label)
    # Before _profile(): what is not a label of SELinux would count as
    # AppArmor's.
    if model == mac.SELINUX and label is None:
        return unknown(f"{shown(guest.label)!r} is not an SELinux label")
    if label is None or model == mac.APPARMOR:
        return _profile(guest)
    who = shown(guest.name)
    if label.type not in selinux.GUESTS:
        return mac.not_of_guests(f"{who} runs as {shown(label.type)}", label)
    # virSecuritySELinuxMCSFind() of libvirt draws two different categories for
    # each guest; a static seclabel may have none.
    if label.pair is None:
        return failed(f"{who} has no categories of its own")
    return _GOOD


def _profile(guest: guests.Guest) -> Answer:
    """Judge AppArmor's label of a guest."""
    label, who = apparmor.parse(guest.label), shown(guest.name)
    if label.profile == apparmor.UNCONFINED:
        return failed(f"{who} is unconfined")
    if label.mode not in apparmor.ENFORCED:
        return failed(f"the profile of {who} is not enforced")
    # get_profile_name() of libvirt's security_apparmor.c makes the name of it.
    if not guest.uuid:
        return unknown(
            f"{who} has no UUID, so its profile cannot be identified"
        )
    if label.profile != f"libvirt-{guest.uuid}":
        return failed(f"{who} does not have its own profile")
    return _GOOD


def _shared(entries: tuple[guests.Guest, ...]) -> Iterator[Answer]:
    """Yield a FAIL for each label that several guests have."""
    owners: dict[Hashable, list[str]] = defaultdict(list)
    for item in entries:
        owners[_identity(item)].append(item.name)
    for identity, names in owners.items():
        if identity is not None and len(names) > 1:
            yield failed(f"guests share one label: {few(names)}")


def _identity(guest: guests.Guest) -> Hashable:
    """Return what makes a label a guest's own; None if nothing does.

    Of SELinux' labels the categories: their order, the domain and the
    sensitivity make no difference to who reads whose images.
    """
    label = selinux.parse(guest.label)
    if label:
        return label.pair
    profile = apparmor.parse(guest.label).profile
    return profile if profile not in ("", apparmor.UNCONFINED) else None
