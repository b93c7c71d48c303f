# SPDX-License-Identifier: Apache-2.0
"""Sessions of operators with the real Placement, as they are in sessions/.

A section begins with ``==`` and its name. A line with ``$`` is a command of
``openstack``, one with ``>`` a step (a method of World); what it prints
follows, indented. ``NOVA_VHARD_GOLDEN=write`` writes that again.
"""

import os
import pathlib

import pytest

FOLDER = pathlib.Path(__file__).with_name("sessions")


def sections(path):
    """Return the lines of each section of a file."""
    found = {}
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("== "):
            lines = found[line] = []
        else:
            lines.append(line)
    return found


SECTIONS = {
    f"{path.stem} {title}": (path, title)
    for path in sorted(FOLDER.glob("*.txt"))
    for title in sections(path)
}


@pytest.mark.parametrize(("path", "title"), SECTIONS.values(), ids=SECTIONS)
def test_a_session(world, path, title):
    before, after = sections(path)[title], []
    for line in before:
        if not line.startswith("  "):
            after.append(line)
        if line.startswith(("$ ", "> ")):
            after += world.run(line)
    if os.environ.get("NOVA_VHARD_GOLDEN") == "write":
        text = path.read_text("utf-8")
        old, new = (
            "\n".join([title, *lines, ""]) for lines in (before, after)
        )
        path.write_text(text.replace(old, new), "utf-8")
        return
    assert after == before
