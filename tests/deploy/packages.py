# SPDX-License-Identifier: Apache-2.0
"""Packages as dpkg and rpm see them: what is in them, what they need."""

from dataclasses import dataclass
from pathlib import Path

from tests.deploy.places import DEPLOY, output

BUILD = DEPLOY / "packages" / "build.sh"
TOOLS = {"deb": "dpkg-buildpackage", "rpm": "rpmbuild"}


@dataclass(frozen=True)
class Package:
    """One package that was built."""

    name: str
    path: Path
    #: Path to mode, as "-rw-r--r--", of everything except folders.
    files: dict[str, str]
    #: What it keeps of the administrator's.
    configuration: frozenset[str]
    requires: frozenset[str]


def _deb(path):
    def field(name):
        return output("dpkg-deb", "-f", path, name).strip()

    rows = [
        line.split(None, 5)
        for line in output("dpkg-deb", "-c", path).splitlines()
    ]
    control = output(
        "sh", "-c", 'dpkg-deb --ctrl-tarfile "$1" | tar xO', "sh", path
    )
    files = {row[5][1:]: row[0] for row in rows if row[0][0] != "d"}
    return Package(
        field("Package"),
        path,
        files,
        frozenset(set(control.splitlines()) & set(files)),
        frozenset(word.split()[0] for word in field("Depends").split(", ")),
    )


def _rpm(path):
    def query(*words):
        return output("rpm", "-qp", *words, path).splitlines()

    rows = query("--qf", "[%{FILEMODES:perms} %{FILENAMES}\n]")
    files = dict(reversed(row.split(None, 1)) for row in rows)
    return Package(
        query("--qf", "%{NAME}\n")[0],
        path,
        {name: mode for name, mode in files.items() if mode[0] != "d"},
        frozenset(query("--configfiles")),
        frozenset(line.split()[0] for line in query("--requires")),
    )


def build(kind, folder):
    """Build the packages of a kind; return them by name."""
    output(BUILD, kind, folder)
    read = _deb if kind == "deb" else _rpm
    result = [
        read(path)
        for path in sorted(folder.glob(f"*.{kind}"))
        if not path.name.endswith(".src.rpm")
    ]
    return {package.name: package for package in result}


def unpack(kind, package, root):
    """Put a package's files below a folder, without its scripts."""
    if kind == "deb":
        output("dpkg-deb", "-x", package.path, root)
    else:
        output(
            *("rpm", "--root", root, "--dbpath", "/rpm", "--nodeps"),
            *("--noscripts", "--nosignature", "-i", package.path),
        )
