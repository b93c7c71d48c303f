# SPDX-License-Identifier: Apache-2.0
"""Files that are no policy: each is refused, at once, in an operator's words.

That the last good policy goes on to hold is in ``test_watch.py``.
"""

import os
import subprocess
import sys
import time

import pytest

from nova_vhard.common import problems, source
from nova_vhard.common.problems import PolicyError
from nova_vhard.osc.policy.show import CheckPolicy
from nova_vhard.policy import document
from nova_vhard.policy.schema import SCHEMA
from tests.unit.cli.desk import rows, run
from tests.unit.helpers import write

#: Seconds of processor time for two megabytes of whatever it is. Here it is
#: some six for the slowest; a quadratic cost would be minutes.
BOUND = 60
MIB = 1024 * 1024
OPENSTACK = (sys.executable, "-W", "ignore", "-m", "openstackclient.shell")

HOSTS = "a mapping with require, mode, max_report_age, trust"
PASSTHROUGH = "a mapping with allow, require, mode"
WRONG = {
    "hosts: strict": f"'strict' must be {HOSTS}",
    "hosts: [iommu]": f"must be {HOSTS}, not a list",
    "hosts:": f"is empty and must be {HOSTS}",
    "passthrough: true": f"'true' must be {PASSTHROUGH}",
    "passthrough: [gpu]": f"must be {PASSTHROUGH}, not a list",
    "passthrough: deny": f"'deny' must be {PASSTHROUGH}",
    "assume: q35": (
        "'q35' must be a mapping with virt_type, architecture, machine_type, "
        "use_virtio_for_bridges, force_config_drive, pointer_model, "
        "cpu_mode, libosinfo"
    ),
    "exemptions: {}": (
        "must be a list of exemptions with id, reason, rules, until, not a "
        "mapping"
    ),
    "projects: audit": (
        "'audit' must be a list of entries with mode, projects, domains"
    ),
    "guest_devices: none": "'none' must be a mapping of device kinds to rules",
    "mode: [warn]": "must be one of enforce, warn, audit, not a list",
    "mode:": "is empty and must be one of enforce, warn, audit",
    "enabled: maybe": "'maybe' must be true or false",
    "extends: [baseline]": (
        "must be baseline, scs, strict or the path of a file, not a list"
    ),
    "on_host: audit": (
        "'audit' must be a mapping with mode, hot_plug, unanswered"
    ),
    "moves: warn": "'warn' must be a mapping with guest_devices, hosts",
    "applies_to: [QEMU]": "must be a mapping with hypervisor_type, not a list",
}


def table(text, tmp_path):
    """Return the rows of ``policy check``, without severity and file."""
    path = write(tmp_path / "policy.yaml", text)
    done = run(CheckPolicy, path, "-f", "json")
    assert done.status == 1
    return [
        (each["Line"], each["Path"], each["Message"]) for each in done.json
    ]


@pytest.mark.parametrize("line", WRONG)
def test_a_section_of_another_type_gets_one_line(tmp_path, line):
    text = f'version: "1"\n# a comment\n{line}\n'
    (row,) = table(text, tmp_path)
    assert row == (3, line.partition(":")[0], WRONG[line])
    # and it is one line of the table, with status 1
    done = run(CheckPolicy, str(tmp_path / "policy.yaml"), "-f", "value")
    assert done.status == 1
    assert len(done.out.splitlines()) == 1
    assert done.err == "1 error, 0 warnings\n"


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
    """Return a document with one value, and the line that it stands in."""
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
        assert lines, (text, rows)
        assert "must be" in lines[0] or "none of" in lines[0], lines
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
        assert row["Message"] == (
            f"cannot be read: it is {kind}, and must be a regular file"
        )


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
    with pytest.raises(PolicyError, match="cannot be read: Too many levels"):
        document.load(str(tmp_path / "loop"))


def test_the_limit_holds_before_anything_is_parsed(tmp_path):
    path = tmp_path / "policy.yaml"
    # given a file of many gigabytes, none of which is on the disk
    path.write_text('version: "1"\n')
    os.truncate(path, 1 << 36)
    (row,) = rows(CheckPolicy, str(path))
    assert row["Message"] == (
        "is larger than 2097152 bytes, the limit ([vhard] policy_max_size)"
    )


def test_the_limit_is_an_option_of_the_command(tmp_path):
    text = 'version: "1"\n' + "# long\n" * 400_000
    path = write(tmp_path / "policy.yaml", text)
    assert run(CheckPolicy, path).status == 1
    limit = str(len(text))
    assert run(CheckPolicy, path, "--max-size", limit).status == 0
    assert len(text) < source.MAX_LIMIT


def test_each_file_has_the_limit(tmp_path):
    write(tmp_path / "base.yaml", 'version: "1"\n' + "# long\n" * 10)
    path = write(tmp_path / "p.yaml", 'version: "1"\nextends: base.yaml\n')
    assert document.load(path, limit=90)
    with pytest.raises(PolicyError, match=r"base.yaml:1: is larger than 80 "):
        document.load(path, limit=80)


def test_depth_and_number_of_files(tmp_path):
    (row,) = table("a: " + "{a: " * 40 + "}" * 40, tmp_path)
    assert row[2] == "is nested deeper than 32 levels"
    for number in range(document.MAX_FILES):
        below = f"p{number + 1}.yaml"
        text = f'version: "1"\nextends: {below}\n'
        path = write(tmp_path / f"p{number}.yaml", text)
    write(tmp_path / below, 'version: "1"\n')
    with pytest.raises(PolicyError, match="more than 8 files extend each"):
        document.load(str(tmp_path / "p0.yaml"))
    assert document.load(str(tmp_path / "p1.yaml"))
    assert document.load(path)


def test_of_many_faults_the_first_are_named_and_the_rest_counted(tmp_path):
    text = 'version: "1"\n' + "".join(f"key{n}: a\n" for n in range(150))
    path = write(tmp_path / "policy.yaml", text)
    done = run(CheckPolicy, path, "-f", "json")
    assert done.err == "150 errors, 0 warnings\n"
    messages = [each["Message"] for each in done.json]
    assert len(messages) == problems.KEPT + 1
    assert messages[-1] == "and 50 more"
    with pytest.raises(PolicyError, match=r"key19: .*; and 130 more$"):
        document.load(path)


HEAD = 'version: "1"\n'
EXEMPTION = (
    "- {{id: e{0}, reason: no driver, until: 2030-01-01,\n"
    "   projects: [{0:032d}],\n"
    "   rules: {{guest_devices.disk_bus: [ide], hosts.require: [iommu]}}}}\n"
)
LARGE = {
    "good exemptions": (HEAD + "exemptions:\n", EXEMPTION.format, ""),
    "patterns": (
        HEAD + "exemptions: [{id: e, reason: r, until: 2030-01-01, "
        "projects: [p], rules: {guest_devices.disk_bus: [",
        "'[v{:x}]*', ".format,
        "]}}]\n",
    ),
    "unknown keys": (HEAD, "guest_device{}: a\n".format, ""),
    "unknown kinds": (HEAD + "guest_devices:\n", " disk_bux{}:\n".format, ""),
    "unknown checks": (HEAD + "hosts: {require: [", "iom{},".format, "]}\n"),
    "one key": (HEAD, "mode: warn\n".format, ""),
    "nothings": (
        HEAD + "passthrough: {allow: {aliases: [",
        "~,         ".format,
        "]}}\n",
    ),
    "replacements": (
        HEAD + "guest_devices: {machine_type: {allow: ['a*'], replace: {",
        "a{}: b, ".format,
        "}}}\n",
    ),
    "brackets": ("a: ", "[".format, ""),
    "braces": ("a: ", "{{a: ".format, ""),
    "dashes": ("", "- ".format, ""),
    "values": (HEAD + "hosts: {require: [", "a,".format, "]}\n"),
    "one word": (HEAD + "mode: ", "x".format, "\n"),
    "one version": (HEAD + "requires: '", ">=1,".format, "'\n"),
    "quotes": (HEAD, "'".format, ""),
    "lines": (HEAD, "\n".format, ""),
}


def large(head, unit, tail):
    """Return two megabytes of one thing."""
    size = 2 * MIB - len(head) - len(tail)
    parts, number = [], 0
    while size >= len(unit(number)):
        parts.append(unit(number))
        size -= len(parts[-1])
        number += 1
    return head + "".join(parts) + tail


@pytest.mark.parametrize("name", LARGE)
def test_two_megabytes_are_read_or_refused_in_bounded_time(tmp_path, name):
    path = write(tmp_path / "policy.yaml", large(*LARGE[name]))
    started = time.process_time()
    try:
        policy = document.load(path)
    except PolicyError as error:
        policy = None
        assert len(str(error)) < 16 * 1024
        assert max(len(str(each)) for each in error.problems) < 1024
        assert len(error.problems) <= problems.KEPT
    assert time.process_time() - started < BOUND
    if name == "good exemptions":
        assert len(policy.exemptions) > 10_000


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
    assert f"'strict' must be {HOSTS}" in done.stdout
    assert "Traceback" not in done.stderr
