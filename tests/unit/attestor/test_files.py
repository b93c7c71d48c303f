# SPDX-License-Identifier: Apache-2.0
"""The mapping, and the list of source file: bad ones, and what is said."""

import os
import uuid

import pytest

from nova_vhard.attestor import mapping
from nova_vhard.attestor.sources.base import SourceError
from nova_vhard.attestor.sources.loading import load
from nova_vhard.placement.client import Provider

ONE = Provider("00000000-0000-0000-0000-000000000001", "compute1")
TWO = Provider("00000000-0000-0000-0000-000000000002", "compute2")
A = "f0f1c2a4-5c5c-4a7e-9b43-4bd0e2f60d11"
B = "5f3e2b1c-77a0-4f43-8e0a-0d1f0c9a7b52"


@pytest.fixture
def path(tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "file.yaml"
    path.write_text("hosts: {}\n")
    path.chmod(0o644)
    return path


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "must have the key hosts"),
        ("[]", 1, "must have the key hosts"),
        ("host: {}", 1, "must have the key hosts"),
        ("hosts: {}\nmore: {}", 1, "and no other"),
        ("hosts: [a]", 1, "an agent for each host"),
        (f"hosts:\n  {A}:\n", 2, "names no agent"),
        (f"hosts:\n  {A}: [x]\n", 2, "names no agent"),
        (f"hosts:\n  {A}: x\n  {B}: x\n", 3, f"'x' is the agent of '{A}' too"),
        (f"hosts:\n  {A}: x\n  {A}: y\n", 3, A),
        ("hosts:\n  compute1: x\n", 2, "is not a UUID, and a name can be"),
        (f"hosts:\n  {A.upper()}: x\n", 2, "is not a UUID"),
        ("hosts:\n  1: x\n", 2, "is not a UUID"),
        ("hosts:\n  a: *x\n", 2, ""),
        ("hosts: {a: x", 2, "cannot be parsed"),
    ],
)
def test_a_mapping_with_a_fault(path, text, line, words):
    path.write_text(text)
    with pytest.raises(mapping.MappingError) as raised:
        mapping.load(str(path))
    assert f"{path}:{line}:" in str(raised.value)
    assert words in str(raised.value)


def test_very_many_faults_are_counted(path):
    lines = (f"  {uuid.UUID(int=number)}: x\n" for number in range(5000))
    path.write_text("hosts:\n" + "".join(lines))
    with pytest.raises(mapping.MappingError, match="; and 4979 more") as it:
        mapping.load(str(path))
    assert len(str(it.value)) < 10_000


def test_a_host_that_is_unknown_is_an_error_and_stops_no_other(path):
    path.write_text(f"hosts:\n  {ONE.uuid}: a\n  {TWO.uuid}: b\n")
    hosts = mapping.load(str(path))
    both = {ONE.uuid: "a", TWO.uuid: "b"}
    assert mapping.resolve(hosts, [ONE, TWO]) == (both, [])
    agents, (wrong,) = mapping.resolve(hosts, [ONE])
    assert agents == {ONE.uuid: "a"}
    assert wrong.startswith(f"{TWO.uuid} is not a compute node")


@pytest.mark.parametrize(
    ("mode", "owner"),
    [
        (0o664, -1),
        (0o646, -1),
        pytest.param(
            0o644,
            65534,
            marks=pytest.mark.skipif(
                os.geteuid() != 0, reason="gives a file away"
            ),
        ),
    ],
)
def test_files_that_others_can_write(path, listed, mode, owner):
    """A mapping, and a list; both say who is attested."""
    for read, error in (
        (lambda text: mapping.load(str(path)), mapping.MappingError),
        (listed, SourceError),
    ):
        path.touch()
        path.chmod(mode)
        os.chown(path, owner, -1)
        with pytest.raises(error, match=r"chmod go-w|is not owned by root"):
            read("agents: {}")


@pytest.fixture
def listed(conf, path):
    conf.set_override("source", "file", "vhard_attestor")
    conf.set_override("verdicts_file", str(path), "vhard_attestor")

    def verdicts(text):
        path.write_text(text)
        return load(conf).verdicts()

    return verdicts


def test_a_list_of_times(listed):
    verdicts = listed(
        "agents:\n  a: 1970-01-01T00:01:40Z\n  b: FAIL\n"
        "  c: 1970-01-01T02:01:40+02:00\n"
    )
    assert verdicts["a"].attested_at == verdicts["c"].attested_at == 100
    assert verdicts["b"].failed and not verdicts["a"].failed


@pytest.mark.parametrize(
    "value", ["PASS", "1970-01-01T00:01:40", "yes", "100", "[a]", "~", "''"]
)
def test_what_is_no_time_attests_nothing(listed, value):
    (verdict,) = listed(f"agents:\n  a: {value}\n").values()
    assert "is not a time with its zone" in verdict.nonsense
    assert verdict.attested_at is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "agents: [a]",
        "agents: {a: b",
        "x: {}",
        "agents:\n a: b\n a: c",
    ],
)
def test_what_is_no_list(listed, path, text):
    with pytest.raises(SourceError, match=str(path)):
        listed(text)


def test_a_list_that_is_not_there(conf, path):
    conf.set_override("source", "file", "vhard_attestor")
    with pytest.raises(ValueError, match="lacks verdicts_file"):
        load(conf)
    missing = str(path.parent / "none")
    conf.set_override("verdicts_file", missing, "vhard_attestor")
    with pytest.raises(SourceError, match="No such file"):
        load(conf).verdicts()
