# SPDX-License-Identifier: Apache-2.0
"""What qemu.conf says of confinement.

libvirtd and virtqemud read the same file when they start. It is often
readable by root alone: then the pre-step leaves these keys in ``qemu.json``.
Source: the comments in libvirt's src/qemu/qemu.conf.in.
"""

import posixpath
from dataclasses import asdict, dataclass
from typing import Any

from nova_vhard.host import prestep, virconf
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot, Unreadable

PATH = "/etc/libvirt/qemu.conf"

#: Key of the pre-step's qemu.json: when it was changed, as it was read.
CHANGED = "changed"

# What has this folder is libvirt's QEMU driver; clients have /etc/libvirt too.
_DOMAINS = "/etc/libvirt/qemu"

_DRIVER = "security_driver"
_DEFAULT = "security_default_confined"
_REQUIRE = "security_require_confined"


@dataclass(frozen=True)
class Confinement:
    """The keys of qemu.conf that are about confinement.

    :ivar security_driver: names; empty where libvirt is to find out
    :ivar security_default_confined: whether guests are confined when nothing
        is said about them
    :ivar security_require_confined: whether others are refused
    """

    security_driver: tuple[str, ...] = ()
    security_default_confined: bool = True
    security_require_confined: bool = False


def parse(text: str) -> Confinement:
    """Read the text of a qemu.conf.

    :raises ValueError: for what libvirt would not understand either, and for
        a key that is set twice, differently
    """
    values = virconf.parse(text)
    driver = values.get(_DRIVER, ())
    return Confinement(
        (driver,) if isinstance(driver, str) else _names(driver),
        _boolean(values, _DEFAULT, True),
        _boolean(values, _REQUIRE, False),
    )


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (tuple, list)) or not all(
        isinstance(one, str) for one in value
    ):
        raise ValueError(f"{_DRIVER} is no name or list of names")
    return tuple(value)


def _boolean(values: dict[str, Any], key: str, default: bool) -> bool:
    value = values.get(key, default)
    if value not in (0, 1) or isinstance(value, str):
        raise ValueError(f"{key} is neither 0 nor 1")
    return bool(value)


def read(host: Host, evidence: list[str]) -> Confinement:
    """Return the keys, from the file or from what the pre-step left.

    :raises Unreadable: if neither can be read
    """
    path = PATH
    try:
        found = of_root(host.root)
    except Unreadable as error:
        if error.missing:
            raise
        path = posixpath.join(host.run_dir, prestep.QEMU)
        found = _left(host, path)
    evidence += [
        f"{path}: {key} = {_written(value)}"
        for key, value in asdict(found).items()
    ]
    return found


def of_root(root: HostRoot) -> Confinement:
    """Return the keys of the file itself.

    A host that has the folder of domains and not the file has libvirt's
    defaults.

    :raises Unreadable: if it cannot be read, or makes no sense
    """
    try:
        text = root.read(PATH)
    except Unreadable as error:
        if error.missing and root.exists(_DOMAINS):
            return Confinement()
        raise
    try:
        return parse(text)
    except ValueError as error:
        raise prestep.invalid(PATH, str(error)) from error


def _left(host: Host, path: str) -> Confinement:
    try:
        values = prestep.left(host, prestep.QEMU)
    except Unreadable as error:
        raise prestep.without(error, PATH) from error
    if _changed(host.root) not in (None, values.get(CHANGED)):
        text = f"{PATH} was changed since; run {prestep.COMMAND} again"
        raise prestep.invalid(path, text)
    try:
        return Confinement(
            _names(values[_DRIVER]),
            _boolean({_DEFAULT: values[_DEFAULT]}, _DEFAULT, True),
            _boolean({_REQUIRE: values[_REQUIRE]}, _REQUIRE, False),
        )
    except (KeyError, ValueError) as error:
        raise prestep.invalid(path, f"not from {prestep.COMMAND}") from error


def _changed(root: HostRoot) -> int | None:
    """Return when the file was changed; None if its folder is closed."""
    try:
        return root.changed(PATH)
    except Unreadable:
        return None


def _written(value: bool | tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return " ".join(value) or "(libvirt finds out)"
