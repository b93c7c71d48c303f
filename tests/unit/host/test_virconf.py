# SPDX-License-Identifier: Apache-2.0
"""libvirt's configuration files: what an edit leaves of them."""

import ast
import contextlib
import pathlib
import re
import socket
import subprocess
import sys
import threading
from unittest import mock

import pytest
import yaml

import nova_vhard
from nova_vhard.host.libvirt import virconf

PACKAGE = pathlib.Path(nova_vhard.__file__).parent

LISTS = """\
# cgroup_device_acl = []
cgroup_device_acl = [
    "/dev/null", "/dev/full", # not a comment to libvirt

    "/dev/zero"
]

namespaces = [

]
user = "root"
"""

QEMU_CONF = """\
# As deployers and people leave it: lists over lines, blank lines, and
# keys twice.
cgroup_device_acl = [
    "/dev/null", "/dev/full", "/dev/zero",

    "/dev/random", "/dev/urandom",
    "/dev/ptmx"
]

security_driver = [
    "none"

]

user = "root"
  group="root" # why
user = "root"
seccomp_sandbox = 0; clear_emulator_capabilities = 0

namespaces = [

]
max_core = "unlimited"
migrate_tls_force = 0

# namespaces = [ "mount" ]
vnc_password = "SECRET"
namespaces = [ ]"""
#: Settings that the remediation of guest_cage removes, and the rest.
CAGE = ("user", "group", "seccomp_sandbox", "clear_emulator_capabilities")
CAGED = re.sub(
    r'user = "root"|group="root" (?=#)|seccomp_sandbox = 0;'
    r"|clear_emulator_capabilities = 0|^namespaces = \[[\n ]*\]",
    "",
    QEMU_CONF,
    flags=re.MULTILINE,
)


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        # A list over several lines goes as a whole, and so does a blank line
        # before a setting not.
        (LISTS, {"namespaces": ""}, LISTS.replace("namespaces = [\n\n]", "")),
        (LISTS, {"user": ""}, LISTS.replace('user = "root"', "")),
        (
            LISTS,
            {"cgroup_device_acl": '[ "/dev/null" ]'},
            '# cgroup_device_acl = []\ncgroup_device_acl = [ "/dev/null" ]\n\n'
            'namespaces = [\n\n]\nuser = "root"\n',
        ),
        (QEMU_CONF, dict.fromkeys((*CAGE, "namespaces"), ""), CAGED),
        # libvirt takes the first one.
        ("a = 0\nb = 1\na = 1\n", {"a": "1"}, "a = 1\nb = 1\n\n"),
        ("a = 1\nb = 1\na = 0\n", {"a": "1"}, "a = 1\nb = 1\n\n"),
        ("a = 0\na = 0\n", {"a": ""}, "\n\n"),
        # What is there already is left as it is written.
        ("  a=1 # why\n", {"a": "1"}, "  a=1 # why\n"),
        ("a = 'x'\n", {"a": '"x"'}, "a = 'x'\n"),
        ("  a=0 # why\n", {"a": "1"}, "  a = 1 # why\n"),
        ("a = 0; b = 1\n", {"a": "1"}, "a = 1; b = 1\n"),
        ("b = 1; a = 0;\n", {"a": ""}, "b = 1; \n"),
        ("b = 1; a = 0;\n", {"b": ""}, " a = 0;\n"),
        ("a = 0\r\nb = 1\r\n", {"a": "1"}, "a = 1\r\nb = 1\r\n"),
        # Neither a comment nor a text is a setting.
        ("# a = 0\n", {"a": "1"}, "# a = 0\na = 1\n"),
        ("# a = 0\n", {"a": ""}, "# a = 0\n"),
        ('b = """\na = 0\n"""\n', {"a": ""}, 'b = """\na = 0\n"""\n'),
        (
            'b = """"""\na = 0\nc = """c"""\n',
            {"a": "1"},
            'b = """"""\na = 1\nc = """c"""\n',
        ),
        ("ab = 0\n", {"a": "1"}, "ab = 0\na = 1\n"),
        ("b = 1", {"a": "1"}, "b = 1\na = 1\n"),
        ("", {"a": "1", "b": "", "c": "2"}, "a = 1\nc = 2\n"),
        # Of another key the first one counts, too.
        ("b = 1\nb = 2\n", {"a": "1"}, "b = 1\nb = 2\na = 1\n"),
    ],
)
def test_an_edit(text, settings, expected):
    assert virconf.edit(text, settings) == expected
    assert virconf.edit(expected, settings) == expected


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("a = [\nb = 1\n", {"b": "2"}),
        ("nonsense\n", {"a": ""}),
        ("", {"a": "some"}),
        ("", {"a": "1\nb = 2; c"}),
        # It would be set twice, to two values.
        ("", {"a": "1; a = 2"}),
        # libvirt does not look for an overflow, knows letters of ASCII only,
        # and wants two characters behind an empty long text.
        ("a = 1234567890123456789\n", {"b": ""}),
        *(("a\xe4 = 1\n", {"b": ""}), ("a = \u0661\n", {"b": ""})),
        ('a = """"""\n', {"b": ""}),
    ],
)
def test_what_is_no_setting_is_not_edited(text, settings):
    with pytest.raises(ValueError, match=r"is not a setting|cannot be"):
        virconf.edit(text, settings)


def test_it_runs_on_a_host_without_us(tmp_path):
    """As Ansible brings it there: through its templates, to Python 3.9."""
    source = pathlib.Path(virconf.__file__).read_text()
    ast.parse(source, feature_version=(3, 9))
    assert not re.search(r"\{[{%#]|[}%#]\}", source)
    file = tmp_path / "qemu.conf"
    file.write_text('vnc_password = "SECRET"\nuser = "root"\n')
    gone = tmp_path / "gone"
    words = [sys.executable, "-I", "-S", "-", "--check", gone, file]

    def run(*settings):
        return subprocess.run(
            [*words, *settings], input=source, capture_output=True, text=True
        )

    done = run("user=", "group=")
    assert (done.returncode, done.stderr) == (0, "")
    assert '-user = "root"\n' in done.stdout and "SECRET" not in done.stdout
    assert "root" in file.read_text()
    assert run("group=").stdout == ""
    file.write_text("nonsense\n")
    assert "line 1 is not a setting" in run("user=").stderr
    file.unlink()
    assert run("user=").returncode == 1


OLD, NEW = "a = 0\n", "a = 1\n"


@pytest.mark.parametrize(
    ("answers", "left", "said"),
    [
        ((True,), NEW, ""),
        ((False, True), OLD, "every file is as it was before"),
        ((False, False), OLD, "it does not start with that"),
    ],
)
def test_a_file_is_put_back_if_libvirt_does_not_come_back(
    tmp_path, monkeypatch, answers, left, said
):
    file, other = tmp_path / "qemu.conf", tmp_path / "libvirtd.conf"
    file.write_text(OLD)
    other.write_text(NEW)
    file.chmod(0o600)

    def systemctl(verb, *units):
        return 0 if "libvirtd.service" in units else 3

    is_back = mock.Mock(side_effect=answers)
    monkeypatch.setattr(virconf, "_systemctl", systemctl)
    monkeypatch.setattr(virconf, "_is_back", is_back)
    ends = pytest.raises(SystemExit, match=said or None)
    with ends if said else contextlib.nullcontext():
        virconf.main([str(file), str(other), "a=1"])
    assert is_back.call_count == len(answers)
    assert (file.read_text(), other.read_text()) == (left, NEW)
    (kept,) = tmp_path.glob("*~")
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == (OLD, 0o600)


@pytest.mark.parametrize(
    ("answers", "back"), [([b"x"], True), ([b"", b"x"], True), ([], False)]
)
def test_a_daemon_is_back_when_it_answers_a_client(
    tmp_path, monkeypatch, answers, back
):
    """One that ends closes the connection, or has no socket."""
    path, told = tmp_path / "sock", mock.Mock()
    monkeypatch.setattr(virconf, "_SOCKETS", {"libvirtd": str(path)})
    monkeypatch.setattr(virconf, "_systemctl", told)
    monkeypatch.setattr(virconf.time, "sleep", lambda seconds: None)
    with socket.socket(socket.AF_UNIX) as server:
        if answers:
            server.bind(str(path))
            server.listen()

        def serve():
            for answer in answers:
                client, _ = server.accept()
                with client:
                    assert len(client.recv(28)) == 28
                    client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert virconf._is_back("libvirtd") is back
        thread.join()
    told.assert_called_with("restart", "libvirtd.service")


_CROSSING = re.compile(r"(?:\A|(?<!\[)\^|\\n|\\A|(?<!\?)=)[(?:!]*\\s[*+?{]")
#: Examples that must be found.
CROSSING = [r"^\s*user", r"^(\s*user)", r"user\s*=\s*(.*)", r"\s*a", r"\n\s+a"]


def test_no_pattern_crosses_the_end_of_a_line():
    r"""``^\s*`` and ``=\s*`` take a setting from the line before or after."""
    texts = [
        *CROSSING,
        *(
            str(getattr(node, "value", ""))
            for path in PACKAGE.rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text()))
        ),
    ]
    for path in PACKAGE.rglob("*.yaml"):
        texts += [
            getattr(x, "value", "") for x in yaml.parse(path.read_text())
        ]
    assert [text for text in texts if _CROSSING.search(text)] == CROSSING
