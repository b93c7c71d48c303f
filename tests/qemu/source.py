# SPDX-License-Identifier: Apache-2.0
"""Debian's source package of QEMU, from the mirrors that the machine uses.

apt gets a configuration, a list of sources and a state of its own; nothing of
the machine's is changed. What was fetched is kept in ``.cache`` of the
checkout.
"""

import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator

CACHE = pathlib.Path(__file__).parents[2] / ".cache" / "qemu"
_LISTS = pathlib.Path("/etc/apt")
# As on a machine that builds packages: no Python or tool of a user's.
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": os.environ.get("HOME", "/root"),
    "DEBIAN_FRONTEND": "noninteractive",
}


def codename() -> str:
    """Return what this Debian is called."""
    text = pathlib.Path("/etc/os-release").read_text(encoding="utf-8")
    result = re.search(r"^VERSION_CODENAME=(\w+)$", text, re.M)
    assert result, "no VERSION_CODENAME in /etc/os-release"
    return result[1]


def sources() -> str:
    """Return the machine's sources of this Debian, as sources of source."""
    result = [*_stanzas(), *_lines()]
    assert result, f"no source of {codename()} in {_LISTS}"
    return "\n\n".join(result) + "\n"


def _stanzas() -> Iterator[str]:
    """Yield the stanzas of this Debian's own mirrors."""
    for path in sorted(_LISTS.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
            lines = [
                line
                for line in stanza.splitlines()
                if line and not line.startswith(("#", "Types:"))
            ]
            text = "\n".join(lines)
            if _ours(text):
                yield f"Types: deb-src\n{text}"


def _ours(stanza: str) -> bool:
    suites = re.search(r"^Suites:(.*)$", stanza, re.M)
    return (
        suites is not None
        and codename() in suites[1]
        and re.search(r"^Components:.*\bmain\b", stanza, re.M) is not None
        and re.search(r"^Enabled:\s*no", stanza, re.M | re.I) is None
    )


def _lines() -> Iterator[str]:
    """Yield the old form's lines as stanzas."""
    paths = [_LISTS / "sources.list", *_LISTS.glob("sources.list.d/*.list")]
    for path in paths:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for line in text.splitlines():
            result = re.match(
                r"deb\s+(?:\[.*?\]\s+)?(\S+)\s+(\S+)\s+(.*)", line
            )
            if (
                result
                and codename() in result[2]
                and "main" in result[3].split()
            ):
                yield (
                    f"Types: deb-src\nURIs: {result[1]}\n"
                    f"Suites: {result[2]}\nComponents: main"
                )


def run(*command: object, cwd: pathlib.Path, **more: object) -> str:
    """Run a program; return what it printed."""
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **more,
    )
    assert not done.returncode, f"{command}:\n{done.stdout[-4000:]}"
    return done.stdout


def fetch() -> pathlib.Path:
    """Fetch the newest source package of QEMU; return its ``.dsc``."""
    state = CACHE / "apt"
    for name in ("lists/partial", "archives/partial"):
        (state / name).mkdir(parents=True, exist_ok=True)
    listed = state / "qemu.sources"
    listed.write_text(sources(), encoding="utf-8")
    options = (
        f"Dir::Etc::SourceList={listed}",
        "Dir::Etc::SourceParts=/dev/null",
        f"Dir::State::Lists={state / 'lists'}",
        f"Dir::Cache={state}",
        # The folder is the user's who runs this.
        "APT::Sandbox::User=",
    )
    apt = (
        "apt-get",
        "-q",
        *(word for each in options for word in ("-o", each)),
    )
    run(*apt, "update", cwd=CACHE)
    run(*apt, "source", "--download-only", "--only-source", "qemu", cwd=CACHE)
    uris = run(*apt, "source", "--print-uris", "qemu", cwd=CACHE)
    names = re.findall(r"(qemu_\S+\.dsc)\b", uris)
    if not names:
        # What is there already is not printed.
        names = [max(CACHE.glob("qemu_*.dsc"), key=_age).name]
    return CACHE / names[0]


def _age(path: pathlib.Path) -> float:
    return path.stat().st_mtime


def unpack(dsc: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Unpack a source package, with Debian's patches; return the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    run("dpkg-source", "-x", dsc, folder, cwd=folder.parent)
    return folder
