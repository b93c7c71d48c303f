# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard host withdraw`` on the real Placement."""

import argparse
import io
from types import SimpleNamespace

import pytest
from osc_lib import exceptions

from nova_vhard.osc.host.listing import WithdrawHosts
from tests.functional.placement.conftest import SAMPLE, Answer

OURS = {"CUSTOM_VHARD_IOMMU", "CUSTOM_VHARD_REPORTED_2026061512"}
FOREIGN = {SAMPLE, "COMPUTE_NODE", "CUSTOM_OTHER", "CUSTOM_VHARDLY"}


@pytest.fixture
def run(cloud):
    """Return what runs the command and gives its output."""
    out = io.StringIO()

    def run(*words):
        client = SimpleNamespace(placement=cloud.placement)
        manager = SimpleNamespace(vhard=client)
        app = SimpleNamespace(client_manager=manager, stdout=out)
        command = WithdrawHosts(app, argparse.Namespace())
        parser = command.get_parser("withdraw")
        command.take_action(parser.parse_args(words))
        return out.getvalue()

    return run


def test_one_host(cloud, run):
    one = cloud.host("a", FOREIGN | OURS)
    other = cloud.host("b", FOREIGN | OURS)
    assert run("a") == f"a lost {', '.join(sorted(OURS))}\n"
    assert cloud.traits(one)[0] == FOREIGN
    assert cloud.traits(other)[0] == FOREIGN | OURS
    assert cloud.names() >= OURS


def test_a_host_that_has_nothing_of_ours(cloud, run):
    cloud.host("a", FOREIGN)
    assert run("a") == "a lost nothing\n"


def test_an_unknown_host_is_one_line(cloud, run):
    with pytest.raises(exceptions.CommandError) as caught:
        run("nobody\x1b")
    assert str(caught.value) == (
        "not withdrawn: nobody: no resource provider with name=nobody%1B"
    )


def test_all_are_tried_and_the_failures_named_at_the_end(cloud, run):
    broken = cloud.host("broken", OURS)
    last = cloud.host("last", OURS)

    def refuse(method, url):
        wanted = method == "PUT" and broken in url
        return Answer(403, "no") if wanted else None

    cloud.faults.append(refuse)
    with pytest.raises(exceptions.CommandError) as caught:
        run("nobody", "broken", "last", "last")
    text = str(caught.value)
    assert text.startswith("not withdrawn: nobody: ")
    assert "; broken: status 403" in text
    assert "\n" not in text
    assert cloud.traits(last)[0] == set()
    assert cloud.traits(broken)[0] == OURS


def test_all_takes_the_names_too(cloud, run):
    hosts = [cloud.host(name, FOREIGN | OURS) for name in ("b", "a")]
    bare = cloud.host("c", FOREIGN)
    shown = run("--all", "--yes")
    assert [one.split()[0] for one in shown.splitlines()] == ["a", "b"]
    for host in (*hosts, bare):
        assert cloud.traits(host)[0] == FOREIGN
    # The look-up is by a pattern, in which _ is any character.
    assert cloud.names() <= {"CUSTOM_VHARDLY"}


def test_all_names_what_stays(cloud, run):
    broken = cloud.host("broken", OURS)
    other = cloud.host("other", OURS)

    def refuse(method, url):
        wanted = method == "PUT" and broken in url
        return Answer(403, "no") if wanted else None

    cloud.faults.append(refuse)
    with pytest.raises(exceptions.CommandError) as caught:
        run("--all", "--yes")
    assert "broken: status 403" in str(caught.value)
    assert all(name in str(caught.value) for name in OURS)
    assert cloud.traits(other)[0] == set()


@pytest.mark.parametrize(
    ("answer", "done"),
    [("y", True), ("YES ", True), ("", False), ("n", False)],
)
def test_all_asks_first(cloud, run, monkeypatch, answer, done):
    host = cloud.host("a", OURS)
    asked = []

    def person(question):
        asked.append(question)
        return answer

    monkeypatch.setattr("builtins.input", person)
    if done:
        run("--all")
    else:
        with pytest.raises(exceptions.CommandError, match="nothing was"):
            run("--all")
    assert asked == ["Take our traits from all hosts (1)? [y/N] "]
    assert cloud.traits(host)[0] == (set() if done else OURS)


def test_nobody_to_ask_is_a_no(cloud, run, monkeypatch):
    host = cloud.host("a", OURS)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(exceptions.CommandError, match="nothing was"):
        run("--all")
    assert cloud.traits(host)[0] == OURS


@pytest.mark.parametrize("words", [(), ("a", "--all")])
def test_neither_and_both_are_refused(run, words):
    with pytest.raises(exceptions.CommandError, match="or say --all"):
        run(*words)


def test_a_placement_that_is_down_is_one_line(cloud, run):
    cloud.faults.append(lambda method, url: Answer(503, "down"))
    with pytest.raises(exceptions.CommandError, match="status 503: down"):
        run("--all", "--yes")


def test_an_empty_cloud(cloud, run):
    assert run("--all", "--yes") == ""
