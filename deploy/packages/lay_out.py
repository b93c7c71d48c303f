#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lay out an installed tree as distributions do: etc, units, entry points.

    lay_out.py ROOT

ROOT is where ``pip install --root`` or pybuild has put the whole package.
debian/rules and nova-vhard.spec call it, and then share out the files.

One distribution of Python becomes a distribution for each package: what an
entry point names is there then, and its requirements are those of its extra.
"""

import configparser
import shutil
import sys
from email import message_from_string
from pathlib import Path

#: Where the units of the source say that the programs are.
BIN = "/opt/nova-vhard/bin/"
#: By the extra: programs and groups of entry points. The rest is the gates'.
PARTS = {
    "node": (
        {"nova-vhard-reporter"},
        {
            "nova_vhard.cleaning_steps",
            "nova_vhard.host_checks",
            "nova_vhard.publishers",
        },
    ),
    "client": (
        {"nova-vhard-status"},
        {"openstack.cli.extension", "openstack.vhard.v1"},
    ),
    # Its steps are the node's: the client reads the rules of cleaning.
    "cleaner": ({"nova-vhard-cleaner"}, set()),
    "guard": ({"nova-vhard-guard"}, set()),
    "exporter": ({"nova-vhard-exporter"}, set()),
    "attestor": ({"nova-vhard-attestor"}, {"nova_vhard.verdicts"}),
    "dashboard": (set(), set()),
}
SCRIPT = """\
#!/usr/bin/python3
import sys

from {module} import {function}

sys.exit({function}())
"""


def move(source, target, mode=0o644):
    """Move a file to where it belongs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
    target.chmod(mode)


def lay_out_etc(root):
    """Share out the data files in /usr/etc."""
    folder = root / "usr" / "etc" / "nova-vhard"
    for path in sorted(folder.iterdir()):
        name = path.name
        program = name.removesuffix(".conf.sample")
        if path.suffix in (".service", ".socket", ".timer"):
            path.write_text(path.read_text().replace(BIN, "/usr/bin/"))
            move(path, root / "usr/lib/systemd/system" / name)
        elif program not in (name, "nova-vhard"):
            # It may have passwords.
            move(path, root / "etc/nova-vhard" / f"{program}.conf", 0o600)
        else:
            move(path, root / "usr/share/nova-vhard" / name)
    folder.rmdir()
    folder.parent.rmdir()


def entry_points(path):
    """Return the groups of a file of entry points."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str
    parser.read(path)
    return {group: dict(parser[group]) for group in parser.sections()}


def part_of(group, name):
    """Return which extra an entry point is of; None for the gates."""
    for extra, (programs, groups) in PARTS.items():
        if group in groups or (
            group == "console_scripts" and name in programs
        ):
            return extra
    return None


def of_part(groups, part):
    """Return the entry points of one part, as the text of their file."""
    lines = []
    for group, rows in groups.items():
        kept = {k: v for k, v in rows.items() if part_of(group, k) == part}
        if kept:
            lines.append(f"[{group}]")
            lines += [f"{name} = {value}" for name, value in kept.items()]
            lines.append("")
    return "\n".join(lines)


def metadata(text, part):
    """Return the metadata of one part: its name, and what it requires."""
    whole = message_from_string(text)
    name, version = whole["Name"], whole["Version"]
    lines = [
        f"Metadata-Version: {whole['Metadata-Version']}",
        f"Name: {name}-{part}" if part else f"Name: {name}",
        f"Version: {version}",
        f"Summary: {whole['Summary']}",
        f"Requires-Python: {whole['Requires-Python']}",
    ]
    if part:
        lines.append(f"Requires-Dist: {name}=={version}")
    for required in whole.get_all("Requires-Dist", []):
        what, _, condition = (side.strip() for side in required.partition(";"))
        extra = condition.partition("==")[2].strip(" \"'") or None
        if extra == part:
            lines.append(f"Requires-Dist: {what}")
    return "\n".join(lines) + "\n"


def split(site):
    """Make a distribution for each part, and return all entry points."""
    (whole,) = site.glob("nova_vhard-*.dist-info")
    text = (whole / "METADATA").read_text(encoding="utf-8")
    groups = entry_points(whole / "entry_points.txt")
    version = whole.name.removeprefix("nova_vhard-")
    shutil.rmtree(whole)
    for part in (None, *PARTS):
        name = f"nova_vhard_{part}" if part else "nova_vhard"
        folder = site / f"{name}-{version}"
        folder.mkdir()
        (folder / "METADATA").write_text(metadata(text, part))
        (folder / "entry_points.txt").write_text(of_part(groups, part))
        (folder / "INSTALLER").write_text("lay_out\n")
    return groups


def write_programs(root, programs):
    """Rewrite the programs for the Python of the distribution."""
    for name, target in programs.items():
        path = root / "usr" / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        module, _, function = target.partition(":")
        path.write_text(SCRIPT.format(module=module, function=function))
        path.chmod(0o755)


def main(root):
    """Lay out what is below root."""
    (place,) = root.glob("usr/lib/python3*/*-packages")
    lay_out_etc(root)
    write_programs(root, split(place)["console_scripts"])
    # Horizon reads it from a folder of its own.
    enabled = place / "nova_vhard_dashboard" / "enabled"
    move(
        enabled / "_9100_nova_vhard.py",
        root / "usr/share/nova-vhard/_9100_nova_vhard.py",
    )
    shutil.rmtree(enabled)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
