# SPDX-License-Identifier: Apache-2.0
"""What libvirt says of a host: read-only, live or captured.

libvirt's word is one source among others: which emulators it would start,
which security models it has. What guests really are is read from procfs.
"""

import abc
import contextlib
import errno
import os
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from nova_vhard.common import xml
from nova_vhard.host import domains
from nova_vhard.host.root import HostRoot, Unreadable

_CAPTURED = "/CMD/virsh-"


class Libvirt(abc.ABC):
    """A read-only view of one libvirt."""

    @abc.abstractmethod
    def capabilities(self) -> ElementTree.Element:
        """Return libvirt's ``<capabilities>``.

        :raises Unreadable: without an answer
        """

    @abc.abstractmethod
    def domain_capabilities(self, emulator: str) -> ElementTree.Element:
        """Return ``<domainCapabilities>`` of an emulator's default machine.

        :param emulator: path, as in ``capabilities``
        :raises Unreadable: without an answer
        """

    @abc.abstractmethod
    def running(self) -> list[domains.Domain]:
        """Return the guests that run.

        :raises Unreadable: without an answer
        """


class NoLibvirt(Libvirt):
    """No libvirt can be asked."""

    def __init__(self, reason: str = "no libvirt is configured") -> None:
        """Keep the reason."""
        self._reason = reason

    def capabilities(self) -> ElementTree.Element:
        """Raise Unreadable with the reason."""
        raise _unreadable(self._reason)

    def domain_capabilities(self, emulator: str) -> ElementTree.Element:
        """Raise Unreadable with the reason."""
        raise _unreadable(self._reason)

    def running(self) -> list[domains.Domain]:
        """Raise Unreadable with the reason."""
        raise _unreadable(self._reason)


class CapturedLibvirt(Libvirt):
    """What a captured tree kept in ``CMD`` of libvirt's answers."""

    def __init__(self, root: HostRoot) -> None:
        """Keep the tree; nothing is read yet."""
        self._root = root

    def capabilities(self) -> ElementTree.Element:
        """Parse ``CMD/virsh-capabilities``."""
        return self._parse("capabilities")

    def domain_capabilities(self, emulator: str) -> ElementTree.Element:
        """Parse ``CMD/virsh-domcapabilities``, if it is this emulator's."""
        found = self._parse("domcapabilities")
        if found.findtext("path") != emulator:
            raise _unreadable(f"the capture has none of {emulator}")
        return found

    def running(self) -> list[domains.Domain]:
        """Parse ``CMD/virsh-dumpxml-UUID`` of each in ``CMD/virsh-list``.

        The list is that of ``virsh list --uuid``.
        """
        listed = self._root.read(f"{_CAPTURED}list").split()
        return [
            domains.parse(self._parse(f"dumpxml-{uuid}")) for uuid in listed
        ]

    def _parse(self, name: str) -> ElementTree.Element:
        return _parse(self._root.read(_CAPTURED + name))


class LiveLibvirt(Libvirt):
    """A daemon, asked through libvirt-python over a read-only connection.

    :param uri: such as ``qemu:///system``
    """

    def __init__(self, uri: str) -> None:
        """Keep the address; each question opens a connection."""
        self._uri = uri

    def capabilities(self) -> ElementTree.Element:
        """Ask the daemon."""
        with self._connected() as connection:
            return _parse(connection.getCapabilities())

    def domain_capabilities(self, emulator: str) -> ElementTree.Element:
        """Ask the daemon."""
        with self._connected() as connection:
            return _parse(
                connection.getDomainCapabilities(emulator, None, None, None, 0)
            )

    def running(self) -> list[domains.Domain]:
        """Ask the daemon."""
        found = []
        with self._connected() as connection:
            import libvirt

            active = libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE
            for domain in connection.listAllDomains(active):
                try:
                    text = domain.XMLDesc(0)
                except libvirt.libvirtError as error:
                    if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                        continue  # it ended meanwhile
                    raise
                found.append(domains.parse(_parse(text)))
        return found

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        try:
            import libvirt
        except ImportError as error:
            text = (
                "libvirt-python is not installed (package python3-libvirt, "
                "or the extra [libvirt])"
            )
            raise _unreadable(text) from error
        # Else it prints its errors to standard error by itself.
        libvirt.registerErrorHandler(lambda context, error: None, None)
        try:
            connection = libvirt.openReadOnly(self._uri)
            try:
                yield connection
            finally:
                connection.close()
        except libvirt.libvirtError as error:
            raise _unreadable(f"{self._uri}: {error}") from error


def _parse(text: str) -> ElementTree.Element:
    try:
        return xml.parse(text)
    except xml.XmlError as error:
        raise _unreadable(str(error)) from error


def _unreadable(reason: str) -> Unreadable:
    return Unreadable("libvirt", OSError(errno.EIO, reason))


def of_tree(root: HostRoot, uri: str | None) -> Libvirt:
    """Return the libvirt of a host.

    :param root: the host's file system
    :param uri: where its daemon is reached; by default ``qemu:///system``
        for this machine itself, and what was captured for any other tree
    """
    if uri:
        return LiveLibvirt(uri)
    if root.root == os.sep:
        return LiveLibvirt("qemu:///system")
    if root.exists("/CMD"):
        return CapturedLibvirt(root)
    return NoLibvirt("the root is not / and no libvirt_uri is configured")
