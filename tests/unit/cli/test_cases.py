# SPDX-License-Identifier: Apache-2.0
"""Command lines with their input files, output and exit status, as data.

The tables are in ``tests/unit/cli/cases``; ``tables.py`` reads them. The keys
of a case are:

``files``
    name to text, or to a name in ``MADE``; ``-> target`` is a symbolic link,
    and null removes the file
``run``, ``more``
    the command without ``openstack vhard``, and further arguments
``status``
    exit status (default: 0)
``out``, ``err``
    lines of stdout and stderr, or a pattern for words that are a library's
    (default: the lines in the golden file)

These commands change no file and log no warning.
"""

import pathlib
import re

import pytest

from nova_vhard.osc import policies
from nova_vhard.policy import document, release
from tests.unit import docs, helpers
from tests.unit.cli import decision_logs, desk, image_files, tables

ALL = [
    case
    for path in sorted(tables.CASES.glob("*.yaml"))
    for case in tables.cases(path)
]
#: Names of contents that are bytes.
MADE = image_files.MADE | decision_logs.MADE
MADE |= {"not UTF-8": b"[DEFAULT]\n\xff"}
SHIPPED = pathlib.Path(document.shipped("baseline")).parent


@pytest.mark.parametrize("case", ALL)
def test_a_command(case, request, tmp_path, monkeypatch, capsys, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "nova_vhard.osc.policy.show.today", lambda: helpers.TODAY
    )
    monkeypatch.setattr(policies, "POLICY_FILE", "policy.yaml")
    monkeypatch.delenv(policies.ENVIRONMENT, raising=False)
    for name, text in case.get("files", {}).items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if text in MADE:
            path.write_bytes(MADE[text])
        elif text is not None and text.startswith("-> "):
            path.symlink_to(text[3:])
        elif text is not None:
            path.write_text(text)
    line = f"{case['run']} {case.get('more', '')}".replace(
        "$ETC", str(docs.ETC)
    )
    before = kept(tmp_path)
    done = desk.typed(line, capsys)
    assert done.status == case.get("status", 0), done.err
    assert kept(tmp_path) == before
    assert "WARNING" not in {each.levelname for each in caplog.records}
    said = []
    for name in ("out", "err"):
        lines = plain(getattr(done, name), tmp_path)
        if isinstance(case.get(name), str):
            assert re.fullmatch(case[name], "\n".join(lines))
        elif name in case:
            assert lines == case[name]
        else:
            said += [f"{name}| {each}" for each in lines]
    tables.check(request.node.callspec.id, said)


def plain(text, folder):
    """Return the lines of a text, with paths and digests replaced."""
    for place, name in (
        (f"{folder}/", ""),
        (folder, "."),
        (SHIPPED, "SHIPPED"),
        (release.INSTALLED, "VERSION"),
    ):
        text = text.replace(str(place), name)
    return re.sub(r"\b[0-9a-f]{16}\b", "DIGEST", text).splitlines()


def kept(folder):
    """Return the paths in a folder, and the content of each file."""
    return {
        each: each.read_bytes() if each.is_file() else each.is_dir()
        for each in folder.rglob("*")
    }


def test_no_sentences_are_left_of_a_case_that_is_gone():
    names = {each.id for each in ALL}
    for path in tables.CASES.glob("*.golden"):
        assert set(tables.sentences(path)) <= names
