# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-paste on the paste files that Nova and Glance ship."""

import difflib
import os
import pathlib
import re
import stat

import pytest

from nova_vhard.cmd import paste
from nova_vhard.common.paste_file import (
    SERVICES,
    PasteError,
    add,
    gates,
    guarded,
    read,
    remove,
    unguarded,
)
from tests.unit import commands, docs
from tests.unit.cli import tables
from tests.unit.cli.nodes import PASTE, shipped

HERE = pathlib.Path(__file__).parent
NOVA = SERVICES["nova"]
BOTH = pytest.mark.parametrize("name", sorted(SERVICES))
pytestmark = pytest.mark.services

#: Pipelines of users in the files that are shipped.
GAPS = {"nova": 2, "glance": 6}
APPLICATIONS = {
    "nova": "app:osapi_compute_app_v21",
    "glance": "composite:rootapp",
}


def named(name):
    """Return the paste file with the gate in its old form."""
    text = shipped(name)
    for word in SERVICES[name].after:
        text = re.sub(rf" {word} ", f" {word} vhard ", text)
    factory = SERVICES[name].factory
    return f"{text}\n[filter:vhard]\npaste.filter_factory = {factory}\n"


@BOTH
def test_the_application_of_users_gets_the_gate_and_no_other(name):
    service = SERVICES[name]
    # Nova 31 has pipelines for noauth2 besides, which know no users.
    assert len(unguarded(shipped(name), service)) == GAPS[name]
    text = add(shipped(name), service)
    assert unguarded(text, service) == []
    assert gates(read(text), service) == {"vhard"}
    expected = {**read(shipped(name))}
    expected[APPLICATIONS[name]]["filter-with"] = "vhard"
    expected["filter:vhard"] = {"paste.filter_factory": service.factory}
    assert read(text) == expected


@BOTH
def test_the_page_shows_what_it_writes(name):
    written = read(add(shipped(name), SERVICES[name]))
    (shown,) = [
        read(block)
        for block in docs.blocks(docs.INSTALL, "ini")
        if SERVICES[name].factory in block
    ]
    assert shown.keys() == {APPLICATIONS[name], "filter:vhard"}
    for section, options in shown.items():
        assert written[section] == options


@BOTH
@pytest.mark.parametrize(
    "page",
    [docs.INSTALL, docs.SOURCE / "admin" / "break-glass.rst"],
    ids=["in", "out"],
)
def test_the_commands_that_pages_show_are_enough(name, page, tmp_path):
    """Those of the other service have files of their own."""
    path = f"/etc/{name}/{PASTE[name].name}"
    (line,) = [each for each in commands.shown(page) if each.endswith(path)]
    program, *arguments = line.split()
    assert program == "nova-vhard-paste"
    file = tmp_path / "paste.ini"
    file.write_text(named(name), encoding="utf-8")
    assert paste.main([*arguments[:-1], str(file)]) == 0
    left = len(unguarded(file.read_text(encoding="utf-8"), SERVICES[name]))
    assert left == (0 if page == docs.INSTALL else GAPS[name])


@BOTH
def test_the_old_form_counts_and_is_converted(name):
    service = SERVICES[name]
    assert unguarded(named(name), service) == []
    assert add(named(name), service) == add(shipped(name), service)
    both = add(shipped(name), service).replace(
        f" {service.after[0]} ", f" {service.after[0]} vhard "
    )
    assert add(both, service) == add(shipped(name), service)
    assert remove(both, service) == shipped(name)


@pytest.mark.parametrize("case", tables.cases(HERE / "paste.yaml"))
def test_a_file(case, request, tmp_path, capsys):
    """Both actions are idempotent, and remove undoes add byte for byte.

    A file that cannot be changed stays as it is. The golden file has the
    output and the lines that are added and removed.
    """
    text = case["text"].rstrip("\n") + case.get("end", "\n")
    text = text.replace("FACTORY", NOVA.factory)
    text = text.replace("SHIPPED\n", shipped("nova"))
    file = tmp_path / "api-paste.ini"
    file.write_text(text, encoding="utf-8")
    said = [f"{gaps(text)} pipelines without a gate"]
    for action in ("add", "add", "remove", "remove"):
        before = file.read_text(encoding="utf-8").splitlines()
        status = paste.main([action, case.get("service", "nova"), str(file)])
        printed = "".join(capsys.readouterr()).replace(f"{tmp_path}/", "")
        # The rest of the message comes from Python.
        printed = "".join(printed.partition("is not a paste file")[:2])
        after = file.read_text(encoding="utf-8")
        said += [f"{action}: {status} {printed.strip()}; {gaps(after)} left"]
        changed = difflib.ndiff(before, after.splitlines())
        said += [each for each in changed if each[0] in "+-"]
    if case.get("own", True):
        assert file.read_text(encoding="utf-8") == text
    assert os.listdir(tmp_path) == ["api-paste.ini"]
    tables.check(request.node.callspec.id, said, HERE)


def gaps(text):
    """Return the number of user pipelines without a gate."""
    try:
        return len(unguarded(text, NOVA))
    except PasteError:
        return "no"


def test_what_is_not_ours_stays():
    """A gate with another name is removed; other filters are kept."""
    text = add(shipped("nova"), NOVA)
    other = "\n[filter:other]\npaste.filter_factory = other:factory\n"
    assert remove(text + other, NOVA) == shipped("nova") + other
    named = text.replace("vhard\n", "hardening\n")
    named = named.replace("filter:vhard", "filter:hardening")
    assert add(named, NOVA) == named
    assert remove(named, NOVA) == shipped("nova")
    # A gate in the application would not see a user.
    assert not guarded(read(text), "cors osapi_compute_app_v21", NOVA)


def test_mode_and_link_stay(tmp_path):
    file = tmp_path / "real.ini"
    file.write_text(shipped("nova"), encoding="utf-8")
    file.chmod(0o640)
    link = tmp_path / "api-paste.ini"
    link.symlink_to(file)
    assert paste.main(["add", "nova", str(link)]) == 0
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert "vhard" in file.read_text(encoding="utf-8")
