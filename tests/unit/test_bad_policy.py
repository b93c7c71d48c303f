# SPDX-License-Identifier: Apache-2.0
"""``policy check`` on files that are not policies.

``test_policy_faults.py`` tests the faults. ``test_watch.py`` tests that the
last valid policy stays in force.
"""

import os
import subprocess
import sys

import pytest

from nova_vhard.common import problems, source
from nova_vhard.common.problems import PolicyError
from nova_vhard.osc.policy.show import CheckPolicy
from nova_vhard.policy import document
from nova_vhard.policy.schema import SCHEMA
from tests.unit.cli.desk import rows, run
from tests.unit.helpers import write

OPENSTACK = (sys.executable, "-W", "ignore", "-m", "openstackclient.shell")


def table(text, tmp_path):
    """Return the rows of ``policy check``, without severity and file."""
    path = write(tmp_path / "policy.yaml", text)
    done = run(CheckPolicy, path, "-f", "json")
    assert done.status == 1
    return [
        (each["Line"], each["Path"], each["Message"]) for each in done.json
    ]


def places(schema, path=()):
    """Yield every key of the schema, as keys to write, and what it wants."""
    for key, below in schema.get("properties", {}).items():
        yield (*path, key), below
        yield from places(below, (*path, key))
    items = schema.get("items")
    if isinstance(items, dict):
        yield (*path, 0), items
        yield from places(items, (*path, 0))


PLACES = {
    ".".join(map(str, path)): (path, schema)
    for path, schema in places(SCHEMA)
    if path[0] != "guest_devices" or path[1:2] in ((), ("disk_bus",))
}
TYPES = {
    "object": "{zzz: zzz}",
    "array": "[[zzz]]",
    "string": "zzz",
    "boolean": "true",
    "null": "",
}


def wrong_values(schema):
    """Yield values of every type that a place does not take."""
    taken = schema.get("type", "string")
    taken = [taken] if isinstance(taken, str) else taken
    for kind, text in TYPES.items():
        if kind not in taken:
            yield text


def written(path, value):
    """Return a document with one value, and the number of its line."""
    lines, indent = ['version: "1"'], 0
    for key in path:
        if key == 0:
            lines.append(" " * indent + "-")
        else:
            lines.append(" " * indent + f"{key}:")
        indent += 2
    lines[-1] += f" {value}"
    if path == ("version",):
        del lines[0]
    return "\n".join(lines) + "\n", len(lines)


@pytest.mark.parametrize("name", PLACES)
def test_a_value_of_another_type_is_named_at_every_place(tmp_path, name):
    path, schema = PLACES[name]
    for value in wrong_values(schema):
        text, line = written(path, value)
        rows = table(text, tmp_path)
        place = problems.spell(path)
        lines = [row[2] for row in rows if row[:2] == (line, place)]
        assert len(lines) == 1, (text, rows)
        assert "must be" in lines[0], lines
        for word in ("object", "array", "string", "boolean", "null", "None"):
            assert word not in lines[0], lines


def test_what_is_not_a_regular_file(tmp_path):
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    for path, kind in (
        (pipe, "a named pipe"),
        (str(tmp_path), "a directory"),
        ("/dev/zero", "a device"),
    ):
        (row,) = rows(CheckPolicy, path)
        assert (row["File"], row["Line"]) == (path, None)
        assert kind in row["Message"]


def test_a_pipe_below_extends(tmp_path):
    os.mkfifo(tmp_path / "base.yaml")
    path = write(tmp_path / "p.yaml", 'version: "1"\nextends: base.yaml\n')
    (row,) = rows(CheckPolicy, path)
    assert row["File"] == str(tmp_path / "base.yaml")
    assert "named pipe" in row["Message"]


def test_links_are_followed(tmp_path):
    # given what Kubernetes mounts: a link to a link
    write(tmp_path / "real.yaml", 'version: "1"\nmode: warn\n')
    (tmp_path / "data").symlink_to("real.yaml")
    (tmp_path / "policy.yaml").symlink_to("data")
    assert document.load(str(tmp_path / "policy.yaml")).mode == "warn"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(PolicyError, match="Too many levels"):
        document.load(str(tmp_path / "loop"))


def test_the_limit_holds_before_anything_is_parsed(tmp_path):
    path = tmp_path / "policy.yaml"
    # given a file of many gigabytes, none of which is on the disk
    path.write_text('version: "1"\n')
    os.truncate(path, 1 << 36)
    (row,) = rows(CheckPolicy, str(path))
    assert f"{source.MAX_LIMIT} bytes" in row["Message"]


def test_a_log_line_names_the_first_of_many_faults(tmp_path):
    text = 'version: "1"\n' + "".join(f"key{n}: a\n" for n in range(150))
    path = write(tmp_path / "policy.yaml", text)
    done = run(CheckPolicy, path, "-f", "json")
    assert done.err == "150 errors, 0 warnings\n"
    assert len(done.json) == 150
    with pytest.raises(PolicyError, match=r"key19: .*; and 130 more$"):
        document.load(path)


def test_the_command_itself(tmp_path):
    """The installed one, in a process of its own."""
    path = write(tmp_path / "policy.yaml", 'version: "1"\nhosts: strict\n')
    done = subprocess.run(
        [*OPENSTACK, "vhard", "policy", "check", path, "-f", "csv"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    assert len(done.stdout.splitlines()) == 2, done.stdout
    assert f'"{path}",2,"hosts",' in done.stdout
    assert "Traceback" not in done.stderr
