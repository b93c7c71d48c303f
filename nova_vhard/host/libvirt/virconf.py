# SPDX-License-Identifier: Apache-2.0
"""The syntax of libvirt's configuration files, and a program that edits them.

    python3 - [--check] FILE... KEY=VALUE... KEY=... < virconf.py

A file that is not there is skipped, and a key without a value is removed. The
playbook of ``openstack vhard host fix`` brings this file to hosts on which
nothing but Python 3.9 may be installed, through Ansible's templates: no two
braces in a row.

Source: libvirt's src/util/virconf.c.
"""

import contextlib
import difflib
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

_SKIPPED = re.compile(r"(?:[ \t\r\n]|\#[^\r\n]*)*")
# In a list libvirt takes no comment; what it means is clear all the same.
_SPACE = r"(?:[ \t\r\n]|\#[^\r\n]*[\r\n])*"
# An empty long text needs two characters behind it: virConfParseString() looks
# six ahead, and the file's last one does not count.
_STRING = r'"""(?:(?="""..)|.+?)"""|"[^"\r\n]*"|\'[^\'\r\n]*\''
_STRINGS = re.compile(rf"\#[^\r\n]*|({_STRING})", re.DOTALL)
_LIST = (
    rf"\[{_SPACE}(?:(?:{_STRING}){_SPACE}"
    rf"(?:,{_SPACE}(?:{_STRING}){_SPACE})*(?:,{_SPACE})?)?\]"
)
# virConfParseLong() does not look for an overflow: a number of more digits
# would be another one to libvirt.
_NUMBER = r"[+-]?\d{1,18}"
# virConfParseStatement() wants a line's end, a semicolon or a comment behind a
# value. Spaces are [ \t] everywhere: \s also matches a line's end, and an edit
# would then take the next line with it.
_STATEMENT = re.compile(
    r"(?P<key>[A-Za-z]\w*)[ \t]*=[ \t]*"
    rf"(?P<value>{_STRING}|{_NUMBER}|{_LIST})"
    r"[ \t]*(?:;|(?=[\#\r\n]|\Z))",
    re.DOTALL | re.ASCII,
)

# Daemon to where clients reach it.
_SOCKETS = {
    "libvirtd": "/run/libvirt/libvirt-sock",
    "virtqemud": "/run/libvirt/virtqemud-sock",
    "virtproxyd": "/run/libvirt/libvirt-sock",
}
# Call 66 (REMOTE_PROC_AUTH_LIST) of libvirt's protocol, which needs no login.
_CALL = struct.pack(">7I", 28, 0x20008086, 1, 66, 0, 0, 0)
# A daemon that starts answers when its drivers run: seconds.
_PATIENCE, _TRIES = 300, 10


def parse(text: str) -> dict[str, Any]:
    """Return the settings: numbers, texts, and tuples of texts.

    :raises ValueError: for what libvirt would not understand either, and for
        a key that is set twice, differently: libvirt takes the first
    """
    result: dict[str, Any] = {}
    for statement in _statements(text):
        key, value = statement["key"], _value(statement["value"])
        # virConfGetValue() returns the first of a key. An administrator who
        # adds a line at the end expects the last one: the error names the key.
        if result.setdefault(key, value) != value:
            raise ValueError(f"{key} is set twice, differently")
    return result


def _statements(text: str) -> Iterator[re.Match[str]]:
    """Yield each setting.

    :raises ValueError: for what is not one
    """
    # Each match begins where the last one ended. finditer() would step over
    # what it cannot read, and an edit of the rest would look right.
    place = _SKIPPED.match(text, 0)
    while place and place.end() < len(text):
        statement = _STATEMENT.match(text, place.end())
        if not statement:
            line = text.count("\n", 0, place.end()) + 1
            raise ValueError(f"line {line} is not a setting")
        yield statement
        place = _SKIPPED.match(text, statement.end())


def _value(text: str) -> Any:
    if text[0] == "[":
        return tuple(_plain(item) for item in _STRINGS.findall(text) if item)
    return _plain(text) if text[0] in "\"'" else int(text)


def _plain(quoted: str) -> str:
    # libvirt has no escapes: a backslash is a character like others.
    width = 3 if quoted.startswith('"""') else 1
    return quoted[width:-width]


def edit(text: str, settings: Mapping[str, str]) -> str:
    """Return a file with other settings, and all else as it was.

    :param settings: key to its value, as it is written; empty to remove it
    :raises ValueError: for what libvirt would not understand either
    """
    missing = dict(settings)
    pieces, place = [], 0
    for each in _statements(text):
        key = each["key"]
        if key in settings:
            # libvirt takes the first one of a key: the others are removed.
            value = missing.pop(key, "")
            pieces.append(text[place : each.start()])
            place = each.end("value") if value else each.end()
            # Written as it is: the diff of a second run is empty.
            if value and _value(value) == _value(each["value"]):
                pieces.append(text[each.start() : place])
            elif value:
                pieces.append(f"{key} = {value}")
    result = "".join([*pieces, text[place:]])
    lines = [f"{key} = {value}\n" for key, value in missing.items() if value]
    if lines and result and not result.endswith("\n"):
        lines.insert(0, "\n")
    result += "".join(lines)
    # Values are written as they are given. The result is parsed again: libvirt
    # would not start with a file that it cannot read, and guests could then
    # not be managed.
    found = [each["key"] for each in _statements(result)]
    if any(found.count(key) != bool(settings[key]) for key in settings):
        raise ValueError(f"cannot be given {', '.join(settings)}")
    return result


def main(words: list[str]) -> None:
    """Edit files and start libvirt again, or take it all back.

    It prints what changes. With ``--check`` it writes nothing.
    """
    settings = dict(
        word.partition("=")[::2] for word in words if word[0] not in "-/"
    )
    files = [word for word in words if word[0] == "/" and os.path.exists(word)]
    if not files:
        sys.exit("libvirt has none of these files on this host")
    changed = []
    for path in files:
        # newline="": Python must not turn CR LF into LF.
        with open(path, encoding="utf-8", newline="") as file:
            before = file.read()
        try:
            after = edit(before, settings)
        except ValueError as error:
            # No file has been written yet: they change together or not at all.
            sys.exit(f"{path}: {error}: correct it first. Nothing is changed.")
        if after != before:
            changed.append((path, after))
        old, new = before.splitlines(True), after.splitlines(True)
        # Without lines around it: passwords are in these files, too.
        lines = difflib.unified_diff(old, new, path, path, n=0)
        sys.stdout.writelines(lines)
    if "--check" in words:
        return
    backup = time.strftime(".%Y-%m-%d@%H:%M:%S~")
    for path, after in changed:
        # copy2() keeps the mode: the backup has passwords as well.
        shutil.copy2(path, path + backup)
        # Not by a rename: the file keeps its owner, mode and label.
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(after)
    # A socket of systemd's starts the daemon when somebody comes.
    # is-active returns 0 if one of the units that it is asked for is active.
    daemons = [
        name
        for name in _SOCKETS
        if not _systemctl("is-active", f"{name}.service", f"{name}.socket")
    ]
    if all(map(_is_back, daemons)):
        return
    for path, _ in changed:
        shutil.copy2(path + backup, path)
    back = all(map(_is_back, daemons))
    text = "libvirt did not start: every file is as it was before"
    sys.exit(text if back else f"{text}, and it does not start with that")


def _is_back(name: str) -> bool:
    """Start a daemon again; return whether it takes clients.

    It says that it is ready before it reads qemu.conf, and ends then; it
    takes clients once its drivers run.
    """
    # systemd refuses to start a unit that was started too often
    # (StartLimitBurst= in systemd.unit(5)): the old files must get their try.
    _systemctl("reset-failed", f"{name}.service", f"{name}.socket")
    _systemctl("restart", f"{name}.service")
    for _ in range(_TRIES):
        with socket.socket(socket.AF_UNIX) as client:
            # systemd's socket takes a connection before the daemon has read
            # its files: only an answer proves that it runs.
            client.settimeout(_PATIENCE)
            with contextlib.suppress(OSError):
                client.connect(_SOCKETS[name])
                client.sendall(_CALL)
                # Nothing to read: the daemon has ended and closed the
                # connection.
                if client.recv(1):
                    return True
        time.sleep(1)
    return False


def _systemctl(*words: str) -> int:
    return subprocess.call(["systemctl", *words], stdout=sys.stderr)  # noqa: S603, S607


if __name__ == "__main__":
    main(sys.argv[1:])
