# SPDX-License-Identifier: Apache-2.0
"""Mandatory access control: which module counts, and whether it is enforced.

Where the kernel could have both SELinux and AppArmor, libvirt's security
driver decides: only that one is told which guest may do what.
"""

from collections.abc import Callable, Iterable
from typing import Any

from nova_vhard.host import guests
from nova_vhard.host.check import (
    UNREAD,
    Answer,
    Status,
    failed,
    passed,
    unknown,
    unread,
)
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import domains
from nova_vhard.host.libvirt.running import Running
from nova_vhard.host.mac import apparmor, selinux
from nova_vhard.host.qemu import qemu_conf
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.host.sanitized import few, shown

LSM = "/sys/kernel/security/lsm"

# SELinux has its file system only where it is enabled.
FILESYSTEMS = "/proc/filesystems"

SELINUX, APPARMOR = "selinux", "apparmor"

#: What libvirt has drivers for.
MODELS = (SELINUX, APPARMOR)

#: The label that libvirt starts from where its capabilities name none.
_BASE = f"system_u:system_r:{selinux.GUESTS[0]}:s0"

NO_DRIVER = (
    "Remove security_driver from /etc/libvirt/qemu.conf, enable SELinux or "
    "AppArmor in the kernel, and restart libvirtd or virtqemud."
)
_ENFORCE_APPARMOR = (
    "Boot with apparmor=1 security=apparmor, and write enforce into "
    "/sys/module/apparmor/parameters/mode."
)
_CONFINE = (
    f"aa-enforce {apparmor.TEMPLATE}, or remove the flag from the file. "
    "Then stop and start the guests that were started with it, or migrate "
    "them away."
)
NOT_READ = (
    "Restart libvirtd or virtqemud (systemctl restart; guests keep "
    "running): it reads qemu.conf only at start."
)

_GOOD = passed("")

# Characters of what is said of a guest.
_LONG = 160


def settle(answers: Iterable[Answer]) -> Answer:
    """Return the worst answer; a FAIL is certain and wins over UNKNOWN."""
    # NOT_APPLICABLE is not among them: callers drop it before.
    order = (Status.FAIL, Status.UNKNOWN, Status.PASS)
    return min(
        answers, key=lambda answer: order.index(answer[0]), default=_GOOD
    )


def settle_all(answers: list[Answer], bad: str, good: str) -> Answer:
    """Return the worst answer, with each guest that fails.

    :param bad: what is before their names
    """
    named = [each.reason for each in answers if each.status is Status.FAIL]
    if named:
        return failed(f"{bad}{few(named, _LONG)}")
    answer = settle(answers)
    return passed(good) if answer.status is Status.PASS else answer


def attempt(judge: Callable[..., Answer], *facts: Any) -> Answer:
    """Return an answer, UNKNOWN where its evidence cannot be read."""
    try:
        return judge(*facts)
    except Unreadable as error:
        return unread(error)


def driver(host: Host) -> dict[str, tuple[str, ...]]:
    """Return libvirt's security drivers that are SELinux or AppArmor.

    :returns: model to base labels; empty where guests are not confined
    :raises Unreadable: without libvirt's answer
    """
    result = domains.security_models(host.libvirt.capabilities())
    host.root.note(f"libvirt <secmodel>: {' '.join(result) or '(none)'}")
    # "dac" is user and group, and "none" is nothing: neither separates two
    # guests that run as one user.
    return {item: labels for item, labels in result.items() if item in MODELS}


def active(root: HostRoot) -> tuple[str, ...]:
    """Return which of SELinux and AppArmor the kernel runs with.

    :raises Unreadable: if that cannot be told
    """
    try:
        # This file has the modules that run, not those that were built in.
        names = root.peek(LSM).split(",")
        return tuple(name for name in names if name in MODELS)
    except Unreadable:
        # securityfs is not mounted, as in a container.
        kinds = root.peek(FILESYSTEMS).split()
    result = [SELINUX] if "selinuxfs" in kinds else []
    return tuple(result + [APPARMOR] * apparmor.enabled(root))


def active_model(host: Host) -> str | None:
    """Return the model that counts: libvirt's, or else the kernel's.

    :returns: None where there is none, in the kernel neither
    :raises Unreadable: if that cannot be told
    """
    try:
        named = driver(host)
    except Unreadable as error:
        host.root.note(str(error))
        named = {}
    # libvirt's first: it labels guests for that one, and the other knows none
    # of them.
    every = tuple(named) or active(host.root)
    # A guess could judge guests by the labels of a module that libvirt does
    # not use.
    if len(every) > 1 and not named:
        raise Unreadable(
            LSM,
            OSError(
                0,
                "SELinux and AppArmor are both active, and libvirt does "
                "not report which it uses",
            ),
        )
    return every[0] if every else None


def effective(host: Host, model: str, labels: Iterable[str]) -> Answer:
    """Judge whether a model is enforced on processes of these labels."""
    root = host.root
    if model == APPARMOR:
        on = apparmor.enabled(root)
        root.note(f"{apparmor.ENABLED}: {'Y' if on else 'not Y'}")
        if not on:
            return failed(
                "AppArmor is not enabled in the kernel", _ENFORCE_APPARMOR
            )
        # Each label says (enforce) also where this parameter is complain.
        mode = apparmor.mode(host)
        root.note(f"AppArmor's mode of all profiles: {mode}")
        if mode not in apparmor.ENFORCED:
            return failed(
                f"AppArmor is not in enforce mode: its mode is {mode}",
                _ENFORCE_APPARMOR,
            )
        return _GOOD
    try:
        enforcing = selinux.enforcing(root)
    except Unreadable as error:
        if error.missing and SELINUX not in root.peek(LSM).split(","):
            return failed("SELinux is not enabled in the kernel")
        raise
    root.note(f"{selinux.ENFORCE}: {int(enforcing)}")
    if not enforcing:
        return failed(
            "SELinux is permissive",
            "setenforce 1, and SELINUX=enforcing in /etc/selinux/config "
            "for the next boot.",
        )
    # By type: `semanage permissive` is about a type, and hundreds of guests
    # would ask the same question.
    one_of_each = {
        label.type: item for item in labels if (label := selinux.parse(item))
    }
    return settle(
        attempt(_domain, root, kind, item)
        for kind, item in one_of_each.items()
    )


def _domain(root: HostRoot, kind: str, label: str) -> Answer:
    loose = selinux.permissive(root, label)
    root.note(
        f"{selinux.ACCESS}: {label} is {'' if loose else 'not '}permissive"
    )
    if loose:
        return failed(
            f"the domain of {label} is permissive",
            f"semanage permissive -d {kind}",
        )
    return _GOOD


def not_of_guests(who: str, label: selinux.Label) -> Answer:
    """Return the answer on a domain that is not one of selinux.GUESTS."""
    # A distribution may have its own domain for guests: it is unknown, not
    # wrong.
    if label.type.startswith("svirt_"):
        return unknown(f"{who}, which was not verified")
    return failed(f"{who}, which is not a guest's domain")


def confinement(host: Host) -> Answer:
    """Judge whether the next guest that libvirt starts is confined."""
    return settle(
        (
            attempt(_driver, host),
            attempt(_configured, host),
        )
    )


def without_guests(answer: Answer) -> Answer:
    """Return the answer for a host on which no guest is visible.

    If the answer is UNKNOWN, the reason says only that no guest process is
    visible: libvirt may not have answered, and then only procfs says so.

    :param answer: the answer for the next guest
    """
    if answer.status is not Status.UNKNOWN:
        return answer._replace(reason=f"no guest is running; {answer.reason}")
    word = ";" if answer.reason.startswith(UNREAD) else ", and"
    return answer._replace(
        reason=f"no guest process is visible{word} {answer.reason}"
    )


def _driver(host: Host) -> Answer:
    result = driver(host)
    if not result:
        return failed("libvirt's security driver confines no guest", NO_DRIVER)
    host.root.note(*guests.daemons(host.root))
    answers = [
        attempt(effective, host, model, labels or (_BASE,))
        for model, labels in result.items()
    ]
    # libvirt makes each guest's profile from this file: a flag in it is in
    # every profile that is made later.
    if APPARMOR in result:
        answers.append(attempt(_template, host))
    for label in map(selinux.parse, result.get(SELINUX, ())):
        # /etc/selinux/*/contexts/virtual_domain_context names them.
        if label and label.type not in selinux.GUESTS:
            answers.append(
                not_of_guests(
                    f"libvirt starts guests as {shown(label.type)}", label
                )
            )
    answer = settle(answers)
    if answer.status is Status.PASS:
        return passed(f"libvirt confines guests with {' and '.join(result)}")
    return answer


def _template(host: Host) -> Answer:
    """Judge what the profile of the next guest is made from.

    :raises Unreadable: if a daemon's cannot be read
    """
    loose: set[str] = set()
    for target in Running(host).of_daemon(apparmor.TEMPLATE):
        flags = apparmor.template(host, target)
        host.root.note(f"{target.label}: flags {' '.join(flags) or '(none)'}")
        loose |= apparmor.LOOSE & set(flags)
    if loose:
        return failed(
            f"AppArmor's profile for guests is {' and '.join(sorted(loose))}",
            _CONFINE,
        )
    return _GOOD


def _configured(host: Host) -> Answer:
    """Judge qemu.conf, as the daemon read it and as it will."""
    return settle(_keys(result) for result in qemu_conf.read(host))


def _keys(read: qemu_conf.Read) -> Answer:
    """Judge the keys for a daemon; those that it has not read do not help."""
    # libvirt's capabilities are those of the daemon as it runs; this is what
    # its next start brings.
    if "none" in read.confinement.security_driver:
        return failed("qemu.conf disables the security driver")
    # Nova writes no <seclabel>: its guests get the default.
    if not read.confinement.security_default_confined:
        return failed("qemu.conf lets guests run unconfined by default")
    if read.stale:
        return unknown(
            "qemu.conf was changed since libvirt's daemon started", NOT_READ
        )
    return _GOOD
