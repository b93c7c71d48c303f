# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-paste on the paste files that Nova and Glance ship."""

import os
import pathlib
import stat
import sys

import pytest

from nova_vhard.cmd import paste
from nova_vhard.cmd.paste_file import (
    SERVICES,
    PasteError,
    add,
    gates,
    read,
    remove,
    unguarded,
)

ETC = pathlib.Path(sys.prefix) / "etc"
FILES = {
    "nova": ETC / "nova" / "api-paste.ini",
    "glance": ETC / "glance" / "glance-api-paste.ini",
}
NOVA = SERVICES["nova"]
BOTH = pytest.mark.parametrize("name", sorted(FILES))
pytestmark = pytest.mark.services

#: As a hand might write it: no end of line at the end, blanks, a
#: continuation, a comment that looks like a pipeline.
ODD = (
    "[composite:a]\n"
    "# keystone = authtoken keystonecontext app\n"
    "keystone=authtoken   keystonecontext\n"
    "    legacy app\n"
    "noauth2 : authtoken keystonecontext\tapp\n\n\n"
    "[pipeline:meta]\npipeline = cors metaapp\n"
    "[filter:keystonecontext]\npaste.filter_factory = nova:x"
)


def shipped(name):
    return FILES[name].read_text(encoding="utf-8")


@BOTH
def test_every_pipeline_of_users_gets_the_gate_and_no_other(name):
    service = SERVICES[name]
    before = read(shipped(name))
    lacking = unguarded(shipped(name), service)
    assert len(lacking) == {"nova": 2, "glance": 6}[name]
    after = read(add(shipped(name), service))
    assert gates(after, service) == {"vhard"}
    for section, options in before.items():
        for option, value in options.items():
            words = after[section][option].split()
            if f"[{section}] {option}" in lacking:
                place = words.index("vhard")
                assert words[place - 1] in service.after
                words.remove("vhard")
            assert words == value.split()


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


def test_what_others_added_behind_stays(tmp_path):
    other = "\n[filter:other]\npaste.filter_factory = other:factory\n"
    file = tmp_path / "api-paste.ini"
    file.write_text(add(shipped("nova"), NOVA) + other, encoding="utf-8")
    assert paste.main(["remove", "nova", str(file)]) == 0
    assert file.read_text(encoding="utf-8") == shipped("nova") + other


@pytest.mark.parametrize("set_off", ["", "\n"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_what_a_hand_put_in_is_taken_out(set_off, end):
    text = f"{ODD}\n{set_off}[filter:vhard]\n"
    text += f"paste.filter_factory = {NOVA.factory}{end}"
    text = text.replace("   keystonecontext", "   keystonecontext vhard")
    assert remove(text, NOVA) == ODD + end


@pytest.mark.parametrize(
    ("pipeline", "lacks"),
    [
        ("authtoken keystonecontext vhard app", False),
        ("authtoken keystonecontext sizelimit vhard app", False),
        # It would see no context.
        ("authtoken vhard keystonecontext app", True),
        # The name of an application, not of a filter.
        ("authtoken keystonecontext vhard", True),
        ("authtoken keystonecontext other app", True),
        ("authtoken keystonecontext vhardly app", True),
    ],
)
def test_a_gate_counts_only_where_it_can_judge(pipeline, lacks):
    text = (
        f"[pipeline:a]\npipeline = {pipeline}\n[filter:vhard]\n"
        f"paste.filter_factory = {NOVA.factory}\n[filter:other]\n"
        "paste.filter_factory = glance:vhard\n"
    )
    assert bool(unguarded(text, NOVA)) == lacks
    if pipeline.endswith("vhard"):
        with pytest.raises(PasteError, match="cannot put it into"):
            add(text, NOVA)
        return
    assert not unguarded(add(text, NOVA), NOVA)


def test_a_gate_of_another_name_counts():
    text = shipped("nova").replace(
        "keystonecontext ", "keystonecontext hardening "
    )
    text += f"[filter:hardening]\npaste.filter_factory = {NOVA.factory}\n"
    assert add(text, NOVA) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("keystone = a keystonecontext b\n", "is no paste file"),
        ("[a]\nx = 1\n[a]\n", "is no paste file"),
        ("[composite:a]\nx = context app\n", "no pipeline has"),
        (
            ODD.replace(
                "[filter:keystone", "[filter:vhard]\nx = 1\n[filter:k"
            ),
            "something else already",
        ),
        ("\xff", "is no paste file"),
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


def test_no_file_and_no_text(tmp_path, capsys):
    assert paste.main(["add", "nova", str(tmp_path / "none")]) == 1
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert paste.main(["remove", "nova", str(tmp_path / "bytes")]) == 1
    assert "utf-8" in capsys.readouterr().err


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
