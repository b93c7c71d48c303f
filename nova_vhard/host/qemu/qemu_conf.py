# SPDX-License-Identifier: Apache-2.0
"""Confinement settings of qemu.conf.

libvirtd and virtqemud read the same file when they start. Often only root may
read it; the pre-step then saves these keys in ``qemu.json``. Source: the
comments in libvirt's src/qemu/qemu.conf.in.
"""

import posixpath
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nova_vhard.host import prestep
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import virconf
from nova_vhard.host.libvirt.running import Running, Target, is_newer, ticks_of
from nova_vhard.host.root import HostRoot, Unreadable, unreadable

PATH = "/etc/libvirt/qemu.conf"

#: Key of the pre-step's qemu.json: when it was changed, as it was read.
CHANGED = "changed"

#: Likewise: pid and start of the daemons, and whether the file was changed
#: since one of them started.
DAEMONS, STALE = "daemons", "changed_since"

# What has this folder is libvirt's QEMU driver; clients have /etc/libvirt too.
_DOMAINS = "/etc/libvirt/qemu"

#: The keys that are about confinement, about the cage, and about channels.
CONFINING = (
    "security_driver",
    "security_default_confined",
    "security_require_confined",
)
CAGING = ("seccomp_sandbox", "clear_emulator_capabilities", "namespaces")
MIGRATING = ("migrate_tls_force",)
CONSOLES = ("vnc_tls", "vnc_tls_x509_verify", "vnc_sasl", "vnc_password")

#: Of namespaces: what hides the host's devices from a guest's process.
MOUNT = "mount"


@dataclass(frozen=True)
# Defaults are libvirt's own (virQEMUDriverConfigNew() in qemu_conf.c): most
# hosts have a file of comments only.
class Confinement:
    """The keys of qemu.conf that are about what confines a guest.

    :ivar security_driver: names; empty where libvirt is to find out
    :ivar security_default_confined: whether guests are confined when nothing
        is said about them
    :ivar security_require_confined: whether others are refused
    :ivar seccomp_sandbox: whether QEMU filters its system calls
    :ivar clear_emulator_capabilities: whether QEMU starts without any
    :ivar namespaces: that each QEMU gets for itself
    :ivar migrate_tls_force: whether migrations without TLS are refused
    :ivar vnc_tls: whether VNC servers talk TLS alone
    :ivar vnc_tls_x509_verify: whether they demand a client's certificate
    :ivar vnc_sasl: whether they demand a login by SASL
    :ivar vnc_password: whether they demand a password
    """

    security_driver: tuple[str, ...] = ()
    security_default_confined: bool = True
    security_require_confined: bool = False
    seccomp_sandbox: bool = True
    clear_emulator_capabilities: bool = True
    namespaces: tuple[str, ...] = (MOUNT,)
    migrate_tls_force: bool = False
    vnc_tls: bool = False
    vnc_tls_x509_verify: bool = False
    vnc_sasl: bool = False
    vnc_password: bool = False


def parse(text: str) -> Confinement:
    """Read the text of a qemu.conf.

    :raises ValueError: for what libvirt would not understand either, and for
        a key that is set twice, differently
    """
    return _confinement(virconf.parse(text))


def _confinement(values: Mapping[str, Any]) -> Confinement:
    """Return what the keys say, libvirt's default where one is not there.

    :raises ValueError: for a value that makes no sense
    """
    # -1 is libvirt's word for "where QEMU can".
    automatic = values.get("seccomp_sandbox") == -1
    verify = _boolean(values, "default_tls_x509_verify", False)
    return Confinement(
        _names(values, "security_driver", ()),
        _boolean(values, "security_default_confined", True),
        _boolean(values, "security_require_confined", False),
        automatic or _boolean(values, "seccomp_sandbox", True),
        _boolean(values, "clear_emulator_capabilities", True),
        _names(values, "namespaces", (MOUNT,)),
        _boolean(values, "migrate_tls_force", False),
        _boolean(values, "vnc_tls", False),
        _boolean(values, "vnc_tls_x509_verify", verify),
        _boolean(values, "vnc_sasl", False),
        # The pre-step leaves whether there is one, and never the text.
        # Any text counts, also an empty one: QEMU then refuses every
        # client (qemu.conf.in).
        values.get("vnc_password", False) is not False,
    )


def _names(
    values: Mapping[str, Any], key: str, default: tuple[str, ...]
) -> tuple[str, ...]:
    value = values.get(key, default)
    # As virConfGetValueStringList() does for security_driver.
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, (tuple, list)) or not all(
        isinstance(item, str) for item in value
    ):
        raise ValueError(f"{key} is not a name or list of names")
    return tuple(value)


def _boolean(values: Mapping[str, Any], key: str, default: bool) -> bool:
    value = values.get(key, default)
    # virConfGetValueBool() of libvirt accepts only the numbers 0 and 1.
    if value not in (0, 1) or isinstance(value, str):
        raise ValueError(f"{key} is neither 0 nor 1")
    return bool(value)


@dataclass(frozen=True)
class Read:
    """Settings that a daemon read from its qemu.conf, or will read.

    :ivar stale: whether the file changed after the daemon read it
    """

    confinement: Confinement
    stale: bool = False


def read(host: Host, keys: Collection[str] = CONFINING) -> list[Read]:
    """Return the keys for each of libvirt's daemons.

    They are those of the file that the daemon sees; of this root's where no
    daemon runs, which the next one will read.

    :param keys: names of those that are evidence
    :raises Unreadable: if they cannot be read
    """
    result = []
    # Several daemons may run, of which one is in a container: the worst counts
    # (callers settle()).
    for target in list(Running(host).of_daemon(PATH)):
        path, each = _of_target(host, target)
        host.root.note(
            *(
                f"{path}: {key} = {_written(key, value)}"
                for key, value in asdict(each.confinement).items()
                if key in keys
            )
        )
        result.append(each)
    return result


def _of_target(host: Host, target: Target) -> tuple[str, Read]:
    """Return where the keys were read, and what they are."""
    # Out of sight: there is no path here that leads to that file.
    if target.place:
        return _of_prestep(host, None)
    try:
        result = of_root(target.root)
    except Unreadable as error:
        # Missing or damaged is the answer. The pre-step is for a file that is
        # root's alone (0600), as on Debian.
        if not error.denied:
            raise
        return _of_prestep(host, target)
    return target.label, Read(result, is_stale(host.root, target))


def _of_prestep(host: Host, target: Target | None) -> tuple[str, Read]:
    """Return what root's pre-step left.

    :param target: the file, where it can be seen that it was not changed
        since; None for one in another root
    """
    path = posixpath.join(host.run_dir, prestep.QEMU)
    try:
        values = prestep.left(host, prestep.QEMU)
    except Unreadable as error:
        raise prestep.without(error, PATH) from error
    if target is None:
        known = values.get(DAEMONS)
        # What it left is of the container that ran then.
        if not known or known != starts(host.root):
            raise prestep.invalid(
                path, f"of other daemons; run {prestep.COMMAND} again"
            )
        # A key that is missing counts as stale.
        stale = values.get(STALE) is not False
    else:
        # The time of the change needs no right to read: facts of an older file
        # are refused, also where they would be good.
        if _changed(host.root) not in (None, values.get(CHANGED)):
            raise prestep.invalid(
                path, f"{PATH} was changed since; run {prestep.COMMAND} again"
            )
        stale = _is_stale_if_seen(host.root, target, values)
    try:
        # How consoles authenticate an older pre-step did not leave: then they
        # do not.
        every = (*CONFINING, *CAGING, *MIGRATING, "vnc_tls")
        result = _confinement({key: values[key] for key in every} | values)
    except (KeyError, ValueError) as error:
        raise prestep.invalid(path, f"not from {prestep.COMMAND}") from error
    return path, Read(result, stale)


def is_stale(root: HostRoot, target: Target) -> bool:
    """Return whether a file was changed since its daemon started.

    :param root: of the host
    :raises Unreadable: if that cannot be told
    """
    # No daemon has read it: the next one will.
    if not target.pid:
        return False
    return is_newer(root, target.root, target.pid, PATH)


def starts(root: HostRoot) -> dict[str, int]:
    """Return pid and start of each of libvirt's daemons, to know them by.

    :raises Unreadable: if that cannot be told
    """
    return {pid: ticks_of(root, pid) for pid, _ in Running(Host(root)).daemons}


def of_root(root: HostRoot) -> Confinement:
    """Return the keys of the file itself.

    A host that has the folder of domains and not the file has libvirt's
    defaults.

    :raises Unreadable: if it cannot be read, or makes no sense
    """
    try:
        text = root.peek(PATH)
    except Unreadable as error:
        # Without that folder this may be the /etc of a container, and the
        # defaults would be a guess.
        if error.missing and root.exists(_DOMAINS):
            return Confinement()
        raise
    try:
        return parse(text)
    except ValueError as error:
        raise unreadable(
            PATH,
            str(error),
            "Correct it: libvirtd and virtqemud do not start if a line is "
            "invalid, and use the first value if a key is set twice. Then "
            "restart the daemon (systemctl restart; guests keep running).",
        ) from error


def _is_stale_if_seen(
    root: HostRoot, target: Target, values: Mapping[str, Any]
) -> bool:
    """Return whether the daemon is older than the file.

    Whoever cannot get to the folder believes the pre-step.
    """
    try:
        return is_stale(root, target)
    except Unreadable as error:
        if not error.denied:
            raise
    return values.get(STALE) is True


def _changed(root: HostRoot) -> int | None:
    """Return when the file was changed; None if its folder is closed."""
    try:
        return root.changed(PATH)
    except Unreadable:
        return None


def _written(key: str, value: bool | tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return str(int(value))
    empty = "(none)" if key == "namespaces" else "(libvirt finds out)"
    return " ".join(value) or empty
