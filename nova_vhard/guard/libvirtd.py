# SPDX-License-Identifier: Apache-2.0
"""The guard's connection to libvirt: guests, devices, events.

Nothing here is needed to answer the hook.
"""

import contextlib
import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

from nova_vhard.common.text import line

# Seconds between two signs of life of the daemon, and how many may be missed.
_KEEPALIVE, _MISSED = 5, 3


class LibvirtError(Exception):
    """libvirt did not do what it was asked for, in its own words."""


class GuestGone(LibvirtError):
    """There is no such guest any more."""


@functools.cache
def _module() -> Any:
    """Return libvirt-python, with its event loop running in a thread.

    :raises LibvirtError: if it is not installed
    """
    try:
        import libvirt
    except ImportError as error:
        raise LibvirtError(
            f"libvirt-python is not installed for {sys.executable} (install "
            "the extra [libvirt]; a virtual environment sees the package "
            "python3-libvirt only with --system-site-packages)"
        ) from error
    # Else it prints its errors to standard error by itself.
    libvirt.registerErrorHandler(lambda context, error: None, None)
    libvirt.virEventRegisterDefaultImpl()

    def loop() -> None:
        """Run libvirt's events for as long as the process lives."""
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=loop, name="libvirt-events", daemon=True).start()
    return libvirt


@contextlib.contextmanager
def _explained() -> Any:
    libvirt = _module()
    try:
        yield libvirt
    except libvirt.libvirtError as error:
        gone = error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN
        kind = GuestGone if gone else LibvirtError
        raise kind(line(error, 4096)) from error


class Connection:
    """A connection that may change guests.

    :param uri: such as ``qemu:///system``
    :raises LibvirtError: if there is none
    """

    def __init__(self, uri: str) -> None:
        """Connect; a daemon that starts its guests answers after that."""
        with _explained() as libvirt:
            self._connection = libvirt.open(uri)
            self._connection.setKeepAlive(_KEEPALIVE, _MISSED)

    def close(self) -> None:
        """Let go of it, whether it is alive or not."""
        with contextlib.suppress(LibvirtError), _explained():
            self._connection.close()

    @property
    def alive(self) -> bool:
        """Whether the daemon is still there."""
        with contextlib.suppress(LibvirtError), _explained():
            return bool(self._connection.isAlive())
        return False

    def on_change(self, changed: Callable[[str], object]) -> None:
        """Call a function when a guest starts, ends, or has other devices.

        Not of every change is there an event: external snapshots and updates
        of devices have none.

        :param changed: is called with the guest's uuid in libvirt's own
            thread: it must not ask libvirt
        """
        with _explained() as libvirt:
            for event in (
                libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
                libvirt.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE,
                libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2,
            ):
                self._connection.domainEventRegisterAny(
                    None,
                    event,
                    lambda _, guest, *more: changed(guest.UUIDString()),
                    None,
                )

    def guests(self) -> dict[str, bool]:
        """Return the uuids of all guests, and whether each runs."""
        with _explained():
            return {
                domain.UUIDString(): domain.ID() >= 0
                for domain in self._connection.listAllDomains()
            }

    def xml(self, uuid: str) -> bytes:
        """Return a guest's XML, live if it runs.

        :raises GuestGone: if there is no such guest
        """
        with _explained():
            domain = self._connection.lookupByUUIDString(uuid)
            return str(domain.XMLDesc(0)).encode()

    def detach(self, uuid: str, device: str) -> None:
        """Ask a running guest to give up a device; it may keep it.

        :param device: the device's own element
        """
        with _explained() as libvirt:
            domain = self._connection.lookupByUUIDString(uuid)
            domain.detachDeviceFlags(device, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def capabilities(self) -> str:
        """Return ``<capabilities>``."""
        with _explained():
            return str(self._connection.getCapabilities())

    def start(self, xml: str) -> str | None:
        """Try to start a transient guest that libvirt should refuse.

        :returns: libvirt's error; None if the guest was started, and destroyed
            again
        :raises LibvirtError: if the connection is lost, or the guest that was
            started cannot be destroyed
        """
        libvirt = _module()
        try:
            domain = self._connection.createXML(xml)
        except libvirt.libvirtError as error:
            if not self.alive:
                raise LibvirtError(line(error, 4096)) from error
            return line(error, 4096)
        with _explained():
            domain.destroy()
        return None
