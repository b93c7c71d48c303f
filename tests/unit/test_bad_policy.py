# SPDX-License-Identifier: Apache-2.0
"""``policy check`` on files that are not policies.

``test_policy_faults.py`` tests the faults. ``test_watch.py`` tests that the
last valid policy stays in force.
"""

import os

import pytest

from nova_vhard.common import problems, source
from nova_vhard.common.problems import PolicyError
from nova_vhard.osc.policy.show import CheckPolicy
from nova_vhard.policy import document
from nova_vhard.policy.schema import SCHEMA
from tests.unit.cli.desk import rows, run
from tests.unit.helpers import write


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
    keys = ["-" if key == 0 else f"{key}:" for key in path]
    lines = [f"{' ' * (2 * depth)}{key}" for depth, key in enumerate(keys)]
    lines[-1] += f" {value}"
    if path != ("version",):
        lines.insert(0, 'version: "1"')
    return "\n".join(lines) + "\n", len(lines)


@pytest.mark.parametrize("name", PLACES)
def test_a_value_of_another_type_is_named_at_every_place(tmp_path, name):
    path, schema = PLACES[name]
    for value in wrong_values(schema):
        text, line = written(path, value)
        file = write(tmp_path / "policy.yaml", text)
        found = document.Reading(file).problems
        place = (line, problems.spell(path))
        (message,) = [
            each.message for each in found if (each.line, each.path) == place
        ]
        assert "must be" in message
        for word in ("object", "array", "string", "boolean", "null", "None"):
            assert word not in message


def test_what_is_not_a_regular_file(tmp_path):
    pipe = str(tmp_path / "base.yaml")
    os.mkfifo(pipe)
    below = write(tmp_path / "p.yaml", 'version: "1"\nextends: base.yaml\n')
    # a file of many gigabytes, none of which is on the disk
    large = write(tmp_path / "large.yaml", 'version: "1"\n')
    os.truncate(large, 1 << 36)
    for path, place, kind in (
        (pipe, (pipe, None), "a named pipe"),
        (str(tmp_path), (str(tmp_path), None), "a directory"),
        ("/dev/zero", ("/dev/zero", None), "a device"),
        (below, (pipe, None), "named pipe"),
        (large, (large, None), f"{source.MAX_LIMIT} bytes"),
    ):
        (row,) = rows(CheckPolicy, path)
        assert (row["File"], row["Line"]) == place
        assert kind in row["Message"]


def test_links_are_followed(tmp_path):
    # given what Kubernetes mounts: a link to a link
    write(tmp_path / "real.yaml", 'version: "1"\nmode: warn\n')
    (tmp_path / "data").symlink_to("real.yaml")
    (tmp_path / "policy.yaml").symlink_to("data")
    assert document.load(str(tmp_path / "policy.yaml")).mode == "warn"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(PolicyError, match="Too many levels"):
        document.load(str(tmp_path / "loop"))


def test_a_log_line_names_the_first_of_many_faults(tmp_path):
    text = 'version: "1"\n' + "".join(f"key{n}: a\n" for n in range(150))
    path = write(tmp_path / "policy.yaml", text)
    done = run(CheckPolicy, path, "-f", "json")
    assert done.err == "150 errors, 0 warnings\n"
    assert len(done.json) == 150
    with pytest.raises(PolicyError, match=r"key19: .*; and 130 more$"):
        document.load(path)
