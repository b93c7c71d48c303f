# SPDX-License-Identifier: Apache-2.0
"""A libvirt of its own: daemons in the foreground, and guests under emulation.

libvirtd and virtlogd run in mount namespaces in which the folders that they
write to are some of ours. Nothing of the machine's own libvirt is seen or
touched, also where one runs; QEMU's processes are the host's, as ever. What
they read of the host, such as ``/etc/libvirt/qemu.conf``, stays what it is.
"""

import contextlib
import os
import pathlib
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator

import libvirt

#: What the daemons write to, and the folder of ours that is there instead.
_FOLDERS = {
    "/run/libvirt": "run",
    "/var/lib/libvirt": "lib",
    "/var/cache/libvirt": "cache",
    "/var/log/libvirt": "log",
    # Guests and networks of the machine's own are not to be started, and its
    # hooks not to be called.
    "/etc/libvirt/qemu": "guests",
    "/etc/libvirt/hooks": "hooks",
}
_IN_PLACE = """\
while [ "$1" != -- ]; do mount --bind "$2" "$1"; shift 2; done
shift
exec "$@"
"""

_CONFIG = """\
unix_sock_dir = "{folder}/sock"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:file:{folder}/libvirtd.log"
host_uuid = "{uuid}"
"""

_LISTENING = """\
listen_tls = 0
listen_tcp = 1
tcp_port = "{port}"
auth_tcp = "none"
"""

# Seconds; the first start asks each emulator what it can do.
_START, _STOP = 120, 20

GUEST = """\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{disk}'/>
      <target dev='{target}' bus='{bus}'/>
    </disk>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    {devices}
  </devices>
  {more}
</domain>
"""


@contextlib.contextmanager
def folder() -> Iterator[pathlib.Path]:
    """Make a folder that QEMU's user can get into; remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="nova-vhard-") as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


def within(mounts: dict[str, object], *command: object) -> list[str]:
    """Return a command that sees other files in some places.

    :param mounts: path to what is there instead, for this command alone
    """
    pairs = [str(each) for pair in mounts.items() for each in pair]
    unshare = ["unshare", "--mount", "--propagation", "private"]
    shell = ["sh", "-ec", _IN_PLACE, "sh"]
    return [*unshare, *shell, *pairs, "--", *(str(each) for each in command)]


def _named(host: str) -> list[str]:
    """Return what runs a command on a host of another name."""
    if not host:
        return []
    shell = f'hostname {host} && exec "$@"'
    return ["unshare", "--uts", "sh", "-ec", shell, "sh"]


class Libvirt:
    """The daemons, until the block ends.

    :param place: folder for all that they write
    :param mounts: path to what is there instead, for them and their guests
    :param host: name of a host of their own, so that guests can come to it
    :param tcp_port: at which libvirtd listens in plain; 0 for none
    :ivar uri: where a client without rights reaches libvirtd
    :ivar own_uri: where one with rights does
    :ivar hooks: the folder that libvirtd takes for /etc/libvirt/hooks
    :ivar pid_file: of libvirtd
    """

    def __init__(
        self,
        place: pathlib.Path,
        mounts: dict[str, pathlib.Path] | None = None,
        host: str = "",
        tcp_port: int = 0,
    ) -> None:
        self._host, self._tcp_port = host, tcp_port
        self._place, self._mounts = place, mounts or {}
        self._running: list[subprocess.Popen[bytes]] = []
        self._made = contextlib.ExitStack()
        uri = f"qemu+unix:///system?socket={place}/sock/libvirt-sock"
        self.uri, self.own_uri = f"{uri}-ro", uri
        self.hooks = place / _FOLDERS["/etc/libvirt/hooks"]
        self.pid_file = place / "libvirtd.pid"

    def __enter__(self) -> "Libvirt":
        self._place.mkdir(exist_ok=True)
        for name in ("sock", *_FOLDERS.values()):
            (self._place / name).mkdir()
        text = _CONFIG.format(folder=self._place, uuid=uuid.uuid4())
        if self._tcp_port:
            text += _LISTENING.format(port=self._tcp_port)
        (self._place / "libvirtd.conf").write_text(text)
        # The kernel says to the second when it booted, and so when a daemon
        # began: its file is to be older than that.
        time.sleep(1)
        try:
            self._prepare()
            self._start("virtlogd", "--pid-file", self._place / "virtlogd.pid")
            self._start_libvirtd()
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def _start_libvirtd(self) -> None:
        config = self._place / "libvirtd.conf"
        listen = ("--listen",) if self._tcp_port else ()
        pid_file = ("--pid-file", self.pid_file)
        self._start("libvirtd", "--config", config, *pid_file, *listen)

    def restart(self) -> None:
        """Start libvirtd again, as systemd does: it may end at once."""
        process = self._running.pop()
        process.terminate()
        process.wait(_STOP)
        # Later than what it is to read, by the kernel's seconds.
        time.sleep(1)
        self._start_libvirtd()

    def __exit__(self, *error: object) -> None:
        self._stop()
        left = self.processes()
        assert not left, f"left running: {left}"

    def connect(self) -> libvirt.virConnect:
        """Return a connection that may start guests."""
        return libvirt.open(self.own_uri)

    def start(self, name: str, more: str = "", **kinds: str) -> str:
        """Start a guest with a disk of its own; return its uuid.

        :param more: elements of its ``<domain>``
        :param kinds: of ``describe``
        """
        text = self.describe(name, more=more, **kinds)
        with contextlib.closing(self.connect()) as connection:
            return str(connection.createXML(text).UUIDString())

    def describe(
        self,
        name: str,
        more: str = "",
        bus: str = "virtio",
        devices: str = "",
    ) -> str:
        """Return the XML of a guest.

        :param bus: of its disk
        :param devices: elements of its ``<devices>``
        """
        path = self._place / f"{name}.img"
        path.touch()
        os.truncate(path, 1 << 20)
        return GUEST.format(
            name=name,
            disk=path,
            more=more,
            bus=bus,
            target="vda" if bus == "virtio" else "sda",
            devices=devices,
        )

    def end(self, name: str) -> None:
        """End a guest at once."""
        with contextlib.closing(self.connect()) as connection:
            connection.lookupByName(name).destroy()

    def processes(self) -> list[str]:
        """Return the processes whose command lines have our folder."""
        result = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                text = path.read_bytes()
                if os.fsencode(self._place) + b"/" in text:
                    result.append(f"{path.parent.name}: {text!r}")
        return result

    def _prepare(self) -> None:
        """Make what is to be covered, where there is nothing."""
        for name, instead in self._covered().items():
            path = pathlib.Path(name)
            if not path.exists():
                is_dir = instead.is_dir()
                (path.mkdir if is_dir else path.touch)()
                self._made.callback(path.rmdir if is_dir else path.unlink)

    def _covered(self) -> dict[str, pathlib.Path]:
        """Return what is covered, and by what."""
        own = {path: self._place / name for path, name in _FOLDERS.items()}
        return self._mounts | own

    def _start(self, *command: object) -> None:
        words = [*_named(self._host), *within(self._covered(), *command)]
        with open(self._place / f"{command[0]}.out", "wb") as out:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(process)

    def _wait(self) -> None:
        """Wait until libvirtd answers."""
        libvirt.registerErrorHandler(lambda context, error: None, None)
        deadline = time.monotonic() + _START
        while True:
            try:
                with contextlib.closing(self.connect()) as connection:
                    connection.getCapabilities()
                return
            except libvirt.libvirtError as error:
                ended = any(each.poll() is not None for each in self._running)
                if ended or time.monotonic() > deadline:
                    paths = self._place.glob("*.[lo]*")
                    said = "\n".join(path.read_text() for path in paths)
                    raise RuntimeError(f"{error}\n{said[-4000:]}") from error
                time.sleep(0.1)

    def _stop(self) -> None:
        """End the guests, then libvirtd and virtlogd, each by its id."""
        with (
            contextlib.suppress(libvirt.libvirtError),
            contextlib.closing(self.connect()) as connection,
        ):
            for domain in connection.listAllDomains():
                if domain.isActive():
                    domain.destroy()
        while self._running:
            process = self._running.pop()
            process.terminate()
            try:
                process.wait(_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._made.close()
