# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-paste on the paste files that Nova and Glance ship."""

import os
import pathlib
import re
import stat
import sys

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
from tests.unit import commands
from tests.unit.docs import INSTALL, SOURCE, blocks

BREAK_GLASS = SOURCE / "admin" / "break-glass.rst"
ETC = pathlib.Path(sys.prefix) / "etc"
FILES = {
    "nova": ETC / "nova" / "api-paste.ini",
    "glance": ETC / "glance" / "glance-api-paste.ini",
}
NOVA = SERVICES["nova"]
BOTH = pytest.mark.parametrize("name", sorted(FILES))
pytestmark = pytest.mark.services

APPLICATIONS = {
    "nova": "app:osapi_compute_app_v21",
    "glance": "composite:rootapp",
}
#: As a hand might write it: no end of line at the end, blanks, a
#: continuation, a comment that looks like a pipeline.
ODD = (
    "[composite:a]\n"
    "# keystone = authtoken keystonecontext app\n"
    "keystone=authtoken   keystonecontext\n"
    "    # vhard comes before the application\n"
    "    legacy app\n"
    "noauth2 : authtoken keystonecontext\tapp\n\n\n"
    "[pipeline:meta]\npipeline = cors metaapp\n"
    "[app:app]\n# filter-with = other\npaste.app_factory = nova:app\n"
    "[filter:keystonecontext]\npaste.filter_factory = nova:x"
)


def shipped(name):
    return FILES[name].read_text(encoding="utf-8")


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
    lacking = unguarded(shipped(name), service)
    # Nova 31 has pipelines for noauth2 besides, which know no users.
    assert len(lacking) == {"nova": 2, "glance": 6}[name]
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
        for block in blocks(INSTALL, "ini")
        if SERVICES[name].factory in block
    ]
    assert shown.keys() == {APPLICATIONS[name], "filter:vhard"}
    for section, options in shown.items():
        assert written[section] == options


@BOTH
@pytest.mark.parametrize("page", [INSTALL, BREAK_GLASS], ids=["in", "out"])
def test_the_commands_that_pages_show_are_enough(name, page, tmp_path):
    """Those of the other service have files of their own."""
    path = f"/etc/{name}/{FILES[name].name}"
    (line,) = [each for each in commands.shown(page) if each.endswith(path)]
    program, *arguments = line.split()
    assert program == "nova-vhard-paste"
    file = tmp_path / "paste.ini"
    file.write_text(named(name), encoding="utf-8")
    assert paste.main([*arguments[:-1], str(file)]) == 0
    left = len(unguarded(file.read_text(encoding="utf-8"), SERVICES[name]))
    assert left == (0 if page == INSTALL else {"nova": 2, "glance": 6}[name])


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


def test_a_filter_of_the_operators_around_the_application_stays():
    header = f"[{APPLICATIONS['nova']}]\n"
    text = shipped("nova").replace(header, f"{header}filter-with = own\n")
    with pytest.raises(PasteError, match="has another filter-with"):
        add(text, NOVA)
    assert len(unguarded(text, NOVA)) == 2


@pytest.mark.parametrize("text", [None, ODD, ODD + "\n", ODD + "\n\n"])
def test_twice_is_once_and_remove_restores_every_byte(text, tmp_path):
    text = text or shipped("nova")
    file = tmp_path / "api-paste.ini"
    file.write_text(text, encoding="utf-8")
    assert paste.main(["add", "nova", str(file)]) == 0
    once = file.read_bytes()
    assert unguarded(once.decode(), NOVA) == []
    assert paste.main(["add", "nova", str(file)]) == 0
    assert file.read_bytes() == once != text.encode()
    for _ in range(2):
        assert paste.main(["remove", "nova", str(file)]) == 0
        assert file.read_bytes() == text.encode()


@pytest.mark.parametrize("set_off", ["", "\n"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_what_a_hand_put_in_is_taken_out(set_off, end):
    text = f"{ODD}\n{set_off}[filter:vhard]\n"
    text += f"paste.filter_factory = {NOVA.factory}{end}"
    text = text.replace("   keystonecontext", "   keystonecontext vhard")
    assert remove(text, NOVA) == ODD + end


@pytest.mark.parametrize(
    ("pipeline", "wrapper", "lacks"),
    [
        ("authtoken keystonecontext vhard app", "", False),
        ("authtoken keystonecontext sizelimit vhard app", "", False),
        ("authtoken keystonecontext app", "vhard", False),
        ("authtoken keystonecontext app", "other", True),
        # It would see no context.
        ("authtoken vhard keystonecontext app", "", True),
        # The name of an application, not of a filter.
        ("authtoken keystonecontext vhard", "", True),
        ("authtoken keystonecontext other app", "", True),
        ("authtoken keystonecontext vhardly app", "", True),
    ],
)
def test_a_gate_counts_only_where_it_can_judge(pipeline, wrapper, lacks):
    text = (
        f"[pipeline:a]\npipeline = {pipeline}\n[filter:vhard]\n"
        f"paste.filter_factory = {NOVA.factory}\n[filter:other]\n"
        "paste.filter_factory = glance:vhard\n[app:app]\n"
    )
    text += f"filter-with: {wrapper}\n" if wrapper else ""
    assert bool(unguarded(text, NOVA)) == lacks
    if pipeline.endswith("vhard") or wrapper == "other":
        with pytest.raises(PasteError):
            add(text, NOVA)
        return
    assert not unguarded(add(text, NOVA), NOVA)


def test_what_is_not_ours_stays():
    """Filters that others added, and a gate with another name."""
    text = add(shipped("nova"), NOVA)
    other = "\n[filter:other]\npaste.filter_factory = other:factory\n"
    assert remove(text + other, NOVA) == shipped("nova") + other
    named = text.replace("vhard\n", "hardening\n")
    named = named.replace("filter:vhard", "filter:hardening")
    assert add(named, NOVA) == named
    assert remove(named, NOVA) == shipped("nova")
    indented = (
        f"[app:app]\n [filter:vhard]\npaste.filter_factory={NOVA.factory}"
    )
    with pytest.raises(PasteError, match=r"\[filter:vhard\] is indented"):
        remove(indented, NOVA)


def test_a_pipeline_without_a_context_has_no_gate():
    """The application has it, and it would see no user."""
    text = add(shipped("nova"), NOVA)
    text += "\n[pipeline:open]\npipeline = cors osapi_compute_app_v21\n"
    assert not guarded(read(text), "cors osapi_compute_app_v21", NOVA)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("keystone = a keystonecontext b\n", "is not a paste file"),
        ("[a]\nx = 1\n[a]\n", "is not a paste file"),
        (
            "[composite:a]\nx = context app\n",
            "no pipeline has keystonecontext",
        ),
        (
            "[composite:a]\nx = authtoken keystonecontext app\n",
            "cannot put it into [composite:a] x",
        ),
        (
            ODD.replace(
                "[filter:keystone", "[filter:vhard]\nx = 1\n[filter:k"
            ),
            "already exists with another",
        ),
        ("\xff", "is not a paste file"),
    ],
)
def test_what_cannot_be_changed_is_left_alone(text, words, tmp_path, capsys):
    file = tmp_path / "api-paste.ini"
    file.write_text(text, encoding="utf-8")
    assert paste.main(["add", "nova", str(file)]) == 1
    assert file.read_text(encoding="utf-8") == text
    assert os.listdir(tmp_path) == ["api-paste.ini"]
    error = capsys.readouterr().err
    assert words in error
    assert str(file) in error
    assert error.count("\n") == 1


def test_a_file_of_another_service_names_what_it_needs():
    with pytest.raises(PasteError, match="context or unauthenticated-context"):
        unguarded("[app:a]\n", SERVICES["glance"])


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b"\xff\xfe", "utf-8")]
)
def test_no_file_and_no_text(tmp_path, capsys, content, words):
    file = tmp_path / "api-paste.ini"
    if content:
        file.write_bytes(content)
    for action in ("add", "remove"):
        assert paste.main([action, "nova", str(file)]) == 1
        assert words in capsys.readouterr().err


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
