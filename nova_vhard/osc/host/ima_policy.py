# SPDX-License-Identifier: Apache-2.0
"""openstack vhard host ima-policy: what Keylime is to know a host by."""

import argparse
import datetime
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from osc_lib import exceptions

from nova_vhard.common import files
from nova_vhard.common.text import clean, fit
from nova_vhard.host.root import HostRoot
from nova_vhard.osc import output
from nova_vhard.osc.host import boot_reference, measured
from nova_vhard.osc.host.measured import NotMeasured, Packages
from nova_vhard.osc.offline import Offline

#: Of Keylime's runtime policies; 0 is a generator that it does not know.
VERSION, GENERATOR = 1, 0

_FOLDERS = ("/opt/nova-vhard", "/etc/libvirt/hooks")
_ALGORITHMS = ("sha256", "sha384", "sha512", "sha1")
#: Bytes of a list of packages.
_LIMIT = 64 << 20
#: Characters of paths in a note.
_NAMED = 300


class WriteImaPolicy(Offline):
    """Write what Keylime is to know a compute node by: a runtime policy.

    The digests of what guests are run by: nova-vhard's own files, QEMU and
    libvirt. IMA measures whatever is started on a host, so name all packages
    by --package-list, or add the rest by Keylime's own tool (keylime-policy
    create runtime --base-policy). Run it on a host that you trust, or on a
    tree that was captured from one. No cloud is asked.

    With --boot-log it writes a measured boot reference of an event log
    instead, by Keylime's own keylime-policy, which must be in the PATH.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the host, what is measured of it, and the file."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--output",
            metavar="<file>",
            required=True,
            help="File to write, in place of another. If it cannot be "
            "written, the old one stays.",
        )
        parser.add_argument(
            "--root",
            metavar="<folder>",
            default="/",
            help="Tree that was captured from a host (default: this "
            "machine). No link leads out of it. One that is no host's is an "
            "error.",
        )
        _add_content(parser)
        _add_boot_log(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Write the file, and say what is in it.

        :raises CommandError: if there is nothing that could be written
        """
        try:
            if parsed_args.boot_log:
                secure = not parsed_args.without_secure_boot
                text = boot_reference.make(parsed_args.boot_log, secure)
                note = "a boot reference"
            else:
                policy, missing = runtime_policy(parsed_args)
                text = json.dumps(policy, indent=1)
                note = _note(policy, missing)
            files.replace(parsed_args.output, f"{text}\n", 0o644)
        except NotMeasured as error:
            raise exceptions.CommandError(str(error)) from error
        except OSError as error:
            text = output.unwritable(parsed_args.output, error)
            raise exceptions.CommandError(text) from error
        self.say(f"{parsed_args.output}: {note}")


def _add_content(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--package",
        metavar="<name>",
        action="append",
        default=[],
        help="Installed package, of Debian or RPM; repeat for more. Without "
        "one, and without a list, those whose names begin with "
        f"{' or '.join(measured.PREFIXES)}. One that is not installed is an "
        "error.",
    )
    parser.add_argument(
        "--package-list",
        metavar="<file>",
        help="File with the names of packages, one a line: all of a host's "
        "by dpkg-query -Wf '${Package}\\n' or rpm -qa --qf '%%{NAME}\\n'.",
    )
    parser.add_argument(
        "--folder",
        metavar="<path>",
        action="append",
        default=[],
        help="Folder or file on the host that no package has, such as where "
        f"nova-vhard is; repeat for more (default: {', '.join(_FOLDERS)}). "
        "One that is not there is an error.",
    )
    parser.add_argument(
        "--exclude",
        metavar="<regex>",
        action="append",
        default=[],
        help="Paths that Keylime is not to judge; repeat for more. It matches "
        "from the start of a path on. What one matches can be replaced "
        "without a word: the command says how many measured files that are, "
        "and all of them are an error, as is one that Keylime cannot join "
        "with the others.",
    )
    parser.add_argument(
        "--algorithm",
        choices=_ALGORITHMS,
        default=_ALGORITHMS[0],
        help="As the kernel's ima_hash= (default: %(default)s). With another "
        "one Keylime refuses every host.",
    )


def _add_boot_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--boot-log",
        metavar="<file>",
        help="Boot event log (binary_bios_measurements) of a host that you "
        "trust: write a measured boot reference of it, and no runtime "
        "policy.",
    )
    parser.add_argument(
        "--without-secure-boot",
        action="store_true",
        help="With --boot-log: the host starts without Secure Boot. For a "
        "host that has it Keylime then judges neither keys nor signatures.",
    )


def runtime_policy(
    parsed_args: argparse.Namespace,
) -> tuple[dict[str, Any], int]:
    """Return a runtime policy as Keylime's schema has it.

    :returns: with how many paths of packages lead nowhere
    :raises NotMeasured: if none can be made
    """
    root = HostRoot(parsed_args.root)
    paths = _paths(root, parsed_args)
    values, missing = measured.digests(root, paths, parsed_args.algorithm)
    if not values:
        raise NotMeasured(f"{root.root} has no file of them")
    excludes = _excludes(parsed_args.exclude)
    if len(_unjudged(values, excludes)) == len(values):
        text = "Keylime would judge nothing: --exclude matches every file"
        raise NotMeasured(f"{text}; name what is to be left out alone")
    return {
        "meta": {
            "version": VERSION,
            "generator": GENERATOR,
            "timestamp": datetime.datetime.now(datetime.UTC).isoformat(),
        },
        "release": 0,
        "digests": values,
        "excludes": excludes,
        "keyrings": {},
        # Of the templates of the list, not of the files: Keylime's own.
        "ima": {
            "ignored_keyrings": [],
            "log_hash_alg": "sha1",
            "dm_policy": None,
        },
        "ima-buf": {},
        "verification-keys": "",
    }, missing


def _paths(root: HostRoot, parsed_args: argparse.Namespace) -> Iterator[str]:
    """Yield the paths of everything that is to be measured."""
    for folder in parsed_args.folder or _FOLDERS:
        yield from measured.below(root, folder)
    packages = Packages(root)
    names = list(parsed_args.package)
    if parsed_args.package_list:
        names += _names(parsed_args.package_list)
    for name in names or packages.guests():
        yield from packages.files(name)


def _names(path: str) -> list[str]:
    """Return the names of packages in a file.

    :raises NotMeasured: if it cannot be read, or has none
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_LIMIT + 1)
    except OSError as error:
        raise NotMeasured(output.unreadable(path, error)) from error
    if len(content) > _LIMIT:
        raise NotMeasured(f"{path} has more than {_LIMIT} bytes")
    names = content.decode(errors="replace").split()
    if not names:
        raise NotMeasured(f"{path} names no package: one a line")
    return list(dict.fromkeys(names))


def _excludes(texts: list[str]) -> list[str]:
    """Return expressions that Keylime can use, each and together.

    :raises NotMeasured: if one is none
    """
    for end, text in enumerate(texts, 1):
        try:
            re.compile(text)
            _joined(texts[:end])
        except (re.error, RecursionError, OverflowError) as error:
            raise NotMeasured(
                f"--exclude {clean(text)}: {clean(error)}: write a regular "
                "expression that can stand in a group beside others"
            ) from error
    return texts


def _joined(texts: list[str]) -> re.Pattern[str]:
    """Return one expression for all, as Keylime makes it."""
    return re.compile(f"({')|('.join(texts)})")


def _unjudged(paths: Iterable[str], excludes: list[str]) -> list[str]:
    """Return the paths that Keylime leaves out, as it matches them."""
    if not excludes:
        return []
    pattern = _joined(excludes)
    return [path for path in paths if pattern.match(path)]


def _note(policy: dict[str, Any], missing: int) -> str:
    note = f"{len(policy['digests'])} files"
    if missing:
        note += f"; {missing} paths of the packages lead nowhere"
    unjudged = _unjudged(policy["digests"], policy["excludes"])
    if unjudged:
        note += (
            f"; {len(unjudged)} of them can be replaced without a word, by "
            f"--exclude: {fit(unjudged, _NAMED)}"
        )
    return note
