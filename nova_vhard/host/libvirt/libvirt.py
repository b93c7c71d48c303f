# SPDX-License-Identifier: Apache-2.0
"""Read-only access to libvirt, live or captured.

libvirt is one source among others: it reports the emulators that it would
start and its security models. procfs shows the real state of guests.
"""

import abc
import contextlib
import functools
import importlib.util
import os
import shutil
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from nova_vhard.common import xml
from nova_vhard.host.libvirt import domains
from nova_vhard.host.processes import command
from nova_vhard.host.root import LIBVIRT, HostRoot, Unreadable, unreadable

_CAPTURED = "/CMD/virsh-"

# Where virsh is looked for; seconds that it may take. The first question
# makes libvirt ask each emulator what it can do.
_VIRSH = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin"
_SECONDS = 30.0

_LOOK = "Examine libvirt's answer: virsh -r capabilities."
_NO_DAEMON = (
    "Start libvirtd or virtqemud, and give the reporter access to its "
    "read-only socket. [vhard_reporter] libvirt_uri sets where the socket "
    "is."
)


class Libvirt(abc.ABC):
    """A read-only view of one libvirt."""

    @abc.abstractmethod
    def capabilities(self) -> ElementTree.Element:
        """Return libvirt's ``<capabilities>``.

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
        self._reason = reason

    def _error(self) -> Unreadable:
        return _unreadable(
            self._reason,
            "Set [vhard_reporter] libvirt_uri to libvirt's socket, such as "
            "qemu+unix:///system?socket=/host/run/libvirt/libvirt-sock-ro.",
        )

    def capabilities(self) -> ElementTree.Element:
        """Raise Unreadable with the reason."""
        raise self._error()

    def running(self) -> list[domains.Domain]:
        """Raise Unreadable with the reason."""
        raise self._error()


class CapturedLibvirt(Libvirt):
    """libvirt's answers in the ``CMD`` folder of a captured tree."""

    def __init__(self, root: HostRoot) -> None:
        self._root = root

    def capabilities(self) -> ElementTree.Element:
        """Parse ``CMD/virsh-capabilities``."""
        return self._parse("capabilities")

    def running(self) -> list[domains.Domain]:
        """Parse ``CMD/virsh-dumpxml-UUID`` of each in ``CMD/virsh-list``.

        The list is that of ``virsh list --uuid``.
        """
        return [
            domains.parse(self._parse(f"dumpxml-{uuid}"))
            for uuid in self._root.peek(f"{_CAPTURED}list").split()
        ]

    def _parse(self, name: str) -> ElementTree.Element:
        return _parse(self._root.peek(_CAPTURED + name))


class VirshLibvirt(Libvirt):
    """A daemon, asked by ``virsh -r``, where libvirt-python is missing.

    :param uri: such as ``qemu:///system``
    """

    def __init__(self, uri: str) -> None:
        """Keep the address; each question starts a virsh."""
        self._uri = uri

    def capabilities(self) -> ElementTree.Element:
        """Ask the daemon."""
        return _parse(self._ask("capabilities"))

    def running(self) -> list[domains.Domain]:
        """Ask the daemon."""
        result = []
        for uuid in self._ask("list", "--uuid").split():
            try:
                text = self._ask("dumpxml", uuid)
            except Unreadable:
                # virsh has one exit status for all errors. A guest that is
                # still listed has not ended: the list must not lack it.
                if uuid in self._ask("list", "--uuid").split():
                    raise
                continue  # it has ended
            result.append(domains.parse(_parse(text)))
        return result

    def _ask(self, *words: str) -> str:
        """Return what virsh prints.

        :raises Unreadable: without an answer
        """
        # A fixed list and not PATH: the answer decides about the host, so the
        # program must not depend on where the reporter was started from.
        program = shutil.which("virsh", path=_VIRSH)
        if program is None:
            raise _unreadable(
                "neither libvirt-python nor virsh is installed",
                "Install libvirt-clients (virsh), or the extra "
                "[libvirt] of nova-vhard (package python3-libvirt).",
            )
        try:
            # -r: libvirt refuses each change over such a connection, and the
            # XML has no passwords (VIR_DOMAIN_XML_SECURE is forbidden).
            return command.output(
                [program, "-r", "-q", "-c", self._uri, *words], _SECONDS
            )
        except (OSError, command.Failed) as error:
            raise _unreadable(
                f"{self._uri}: virsh -r {words[0]} {error}", _NO_DAEMON
            ) from error


class LiveLibvirt(Libvirt):
    """A daemon, asked through libvirt-python over a read-only connection.

    :param uri: such as ``qemu:///system``
    """

    def __init__(self, uri: str) -> None:
        """Keep the address; each question opens a connection."""
        self._uri = uri

    @functools.lru_cache(maxsize=1)  # noqa: B019 - keeps one, for a round
    def capabilities(self) -> ElementTree.Element:
        """Ask the daemon, once: a Libvirt is for one round."""
        with self._connected() as connection:
            return _parse(connection.getCapabilities())

    def running(self) -> list[domains.Domain]:
        """Ask the daemon."""
        result = []
        with self._connected() as connection:
            # Imported late: without the module live() uses virsh instead.
            import libvirt

            active = libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE
            # One call for the whole list: listDomainsID() and a lookup of each
            # number can miss a guest that starts in between.
            for domain in connection.listAllDomains(active):
                try:
                    # No VIR_DOMAIN_XML_INACTIVE: that would be the guest after
                    # its next start, without the backing chain that QEMU has
                    # open.
                    text = domain.XMLDesc(0)
                except libvirt.libvirtError as error:
                    if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                        continue  # it has ended
                    raise
                result.append(domains.parse(_parse(text)))
        return result

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        import libvirt

        # Else it prints its errors to standard error by itself.
        libvirt.registerErrorHandler(lambda context, error: None, None)
        try:
            connection = libvirt.openReadOnly(self._uri)
            try:
                yield connection
            finally:
                connection.close()
        except libvirt.libvirtError as error:
            # Errors of the caller's own calls arrive here as well: a daemon
            # that ends in between is an error, not a host without guests.
            raise _unreadable(f"{self._uri}: {error}", _NO_DAEMON) from error


def _parse(text: str) -> ElementTree.Element:
    try:
        # Texts of tenants are in it (the server's name in nova:instance), so
        # the parser has limits and refuses a document type.
        return xml.parse(text)
    except xml.XmlError as error:
        raise _unreadable(str(error)) from error


def _unreadable(reason: str, step: str = "") -> Unreadable:
    """Return the error for a libvirt that gives no answer, or a strange one.

    :param step: what makes it answer; empty where it did
    """
    path = LIBVIRT if step else "libvirt's answer"
    return unreadable(path, reason, step or _LOOK)


def live(uri: str) -> Libvirt:
    """Return a daemon, asked by what is installed for it."""
    # PyPI has libvirt-python as source alone: to build it needs a compiler and
    # libvirt's headers, which most compute hosts do not have.
    if importlib.util.find_spec("libvirt") is None:
        return VirshLibvirt(uri)
    return LiveLibvirt(uri)


def of_tree(root: HostRoot, uri: str | None) -> Libvirt:
    """Return the libvirt of a host.

    :param root: the host's file system
    :param uri: where its daemon is reached; by default ``qemu:///system``
        for this machine itself, and what was captured for any other tree
    """
    if uri:
        return live(uri)
    if root.root == os.sep:
        return live("qemu:///system")
    if root.exists("/CMD"):
        return CapturedLibvirt(root)
    # Not this machine's daemon: the guests of one host would be compared with
    # the processes of another.
    return NoLibvirt("the root is not / and no libvirt_uri is configured")
