# SPDX-License-Identifier: Apache-2.0
"""libvirt's configuration files: what an edit leaves of them."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

import nova_vhard
from nova_vhard.host import virconf

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
    ],
)
def test_what_is_no_setting_is_not_edited(text, settings):
    with pytest.raises(ValueError, match=r"is no setting"):
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
    assert '-user = "root"\n' in done.stdout
    assert "SECRET" not in done.stdout
    assert "root" in file.read_text()
    assert run("group=").stdout == ""
    file.write_text("nonsense\n")
    assert "line 1 is no setting" in run("user=").stderr
    file.unlink()
    assert run("user=").returncode == 1


_CROSSING = re.compile(r"(?:\A|(?<!\[)\^|\\n|\\A|(?<!\?)=)[(?:!]*\\s[*+?{]")


def patterns():
    """Yield each text of the package that is, or could be, a pattern."""
    for path in PACKAGE.rglob("*.py"):
        inside = set()
        # What is in an f-string has been seen when its parts are.
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                inside |= set(node.values)
                parts = (getattr(x, "value", "") for x in node.values)
                yield "".join(x if isinstance(x, str) else "." for x in parts)
            elif isinstance(node, ast.Constant) and node not in inside:
                yield node.value if isinstance(node.value, str) else ""
    for path in PACKAGE.rglob("*.yaml"):
        for event in yaml.parse(path.read_text()):
            yield getattr(event, "value", "")


def test_no_pattern_crosses_the_end_of_a_line():
    r"""``^\s*`` and ``=\s*`` take a setting from the line before or after."""
    found = [text for text in patterns() if _CROSSING.search(text)]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [r"^\s*user", r"^(\s*user)", r"user\s*=\s*(.*)", r"\s*a", r"\n\s+a"],
)
def test_a_pattern_that_crosses_is_found(text):
    assert _CROSSING.search(text)
