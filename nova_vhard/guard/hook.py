#!/usr/bin/python3 -IS
# SPDX-License-Identifier: Apache-2.0
"""libvirt's hook: ask nova-vhard-guard; stdout would replace the XML."""

import contextlib
import os
import signal
import socket
import sys

SOCKET = "/run/nova-vhard-guard/guard.sock"
REFUSE = "/var/lib/nova-vhard-guard/refuse-unanswered"
DISABLED = "/etc/nova-vhard/policy.yaml.disabled"
SECONDS = 1.8


def ask(head: str) -> tuple[bool, str]:
    """Return whether the daemon lets the guest start, and its text."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(SOCKET)
        peer.sendall(os.fsencode(head) + sys.stdin.buffer.read((4 << 20) + 1))
        peer.shutdown(socket.SHUT_WR)
        answer = peer.makefile("rb").read(1 << 16).decode(errors="replace")
    word, _, text = answer.partition("\n")
    if word not in ("allow", "refuse"):
        raise OSError(text or "no answer")
    return word == "allow", text


def unanswered(operation: str, name: str, error: str) -> tuple[bool, str]:
    """Return what holds without an answer, and alert the host's log."""
    allowed = os.path.exists(DISABLED) or not os.path.lexists(REFUSE)
    if allowed and operation == "prepare":
        return True, ""  # libvirt asks again at start: one alert is enough
    done = "starts unjudged" if allowed else "is refused"
    text = f"nova-vhard-guard does not answer ({error}): {name!r} {done}"
    with contextlib.suppress(OSError, ValueError):  # noqa: SIM117 - short
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.settimeout(0.1)
            log.sendto(f"<25>{text}".encode()[:1024], "/dev/log")
    return allowed, text


def main(name: str = "", operation: str = "", *_: str) -> int:
    """Return 1 to refuse; not at restore, where the saved state would go."""
    if operation not in ("migrate", "prepare", "restore", "start"):
        return 0
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        allowed, text = ask(f"{operation} {name}\n")
        signal.setitimer(signal.ITIMER_REAL, 0)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001
        signal.setitimer(signal.ITIMER_REAL, 0)
        allowed, text = unanswered(operation, name, str(error) or "too late")
    sys.stderr.write("" if allowed else text)
    return 0 if allowed or operation == "restore" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
