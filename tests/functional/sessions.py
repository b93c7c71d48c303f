# SPDX-License-Identifier: Apache-2.0
"""Sessions of operators, from the files of a folder.

A section begins with ``==`` and its name. A line with ``$`` is a command of
``openstack`` or a program, one with ``>`` a step: a method of a ``Session``.
The output of a line follows it, indented. ``NOVA_VHARD_GOLDEN=write`` writes
it again.
"""

import os
import re
import shlex

import pytest


def sections(path):
    """Return the lines of each section of a file."""
    found = {}
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("== "):
            lines = found[line] = []
        else:
            lines.append(line)
    return found


def each(folder):
    """Parametrize a test with the sections of the files of a folder."""
    rows = [
        pytest.param(path, title, id=f"{path.stem} {title}")
        for path in sorted(folder.glob("*.txt"))
        for title in sections(path)
    ]
    return pytest.mark.parametrize(("path", "title"), rows)


class Session:
    """Steps of sessions: each is a method that returns its output.

    The method ``command`` runs a line with ``$``.

    :ivar errors: exceptions whose text is printed
    :ivar texts: name to the text that it stands for, such as ``FOLDER``
    :ivar uuids: name to the id that it stands for, as ``<name>``
    :ivar varying: pattern of output that differs from one run to the next, to
        its replacement
    """

    errors = ()
    varying = {}

    def __init__(self, **texts):
        self.texts, self.uuids = texts, {}

    def run(self, line):
        """Run a line of a session; return the lines that it prints."""
        for name, text in self._known().items():
            line = line.replace(name, text)
        words = shlex.split(line[2:].replace("\\n", "\n"))
        try:
            if line.startswith("$"):
                text = self.command(*words)
            else:
                text = getattr(self, words[0])(*words[1:])
        except self.errors as error:
            text = f"! {error}"
        text = text or ""
        for name, real in self._known().items():
            text = text.replace(real, name)
        for pattern, name in self.varying.items():
            text = re.sub(pattern, name, text)
        return [f"  {each.rstrip()}" for each in text.splitlines() if each]

    def _known(self):
        uuids = {f"<{name}>": uuid for name, uuid in self.uuids.items()}
        return {**self.texts, **uuids}

    def check(self, path, title):
        """Run a section, and compare the output of its lines."""
        before, after = sections(path)[title], []
        for line in before:
            if not line.startswith("  "):
                after.append(line)
            if line.startswith(("$ ", "> ")):
                after += self.run(line)
        if os.environ.get("NOVA_VHARD_GOLDEN") == "write":
            text = path.read_text("utf-8")
            old, new = (
                "\n".join([title, *lines, ""]) for lines in (before, after)
            )
            path.write_text(text.replace(old, new), "utf-8")
            return
        assert after == before
