# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard host withdraw`` on the real Placement."""

import argparse
import datetime
import io
from types import SimpleNamespace

import pytest
from openstack import exceptions as sdk
from osc_lib import exceptions

from nova_vhard.catalogue import traits
from nova_vhard.osc.host.withdraw import WithdrawHosts
from nova_vhard.placement.reader import PlacementError
from tests.functional.placement import keystone as keystones
from tests.functional.placement.conftest import SAMPLE, Answer

NOW = datetime.datetime.now(datetime.UTC)
OURS = {"CUSTOM_VHARD_IOMMU", traits.of_hour(NOW)}
FOREIGN = {SAMPLE, "COMPUTE_NODE", "CUSTOM_OTHER", "CUSTOM_VHARDLY"}


@pytest.fixture
def keystone():
    return keystones.service_cloud()


@pytest.fixture
def run(cloud, keystone):
    """Return what runs the command and gives its output."""
    out = io.StringIO()

    def run(*words):
        client = keystones.client(cloud, keystone)
        manager = SimpleNamespace(vhard=client)
        app = SimpleNamespace(client_manager=manager, stdout=out)
        command = WithdrawHosts(app, argparse.Namespace())
        parser = command.get_parser("withdraw")
        command.take_action(parser.parse_args(words))
        return out.getvalue()

    return run


def test_one_host(cloud, run):
    host = cloud.host("a", FOREIGN | OURS)
    other = cloud.host("b", FOREIGN | OURS)
    assert run("a") == f"a lost {', '.join(sorted(OURS))}\n"
    assert cloud.traits(host)[0] == FOREIGN
    assert cloud.traits(other)[0] == FOREIGN | OURS
    assert cloud.names() >= OURS


ASKED = "CUSTOM_VHDEV_0000_3B_00_0_RELEASE_G17"
TOLD = "CUSTOM_VHDEV_0000_3B_00_0_NO_RULE"


def test_what_a_cleaner_says_and_is_asked_for_goes_too(cloud, run):
    hosts = [
        cloud.host(name, FOREIGN | more)
        for name, more in (("a", {*OURS, ASKED}), ("b", {TOLD}))
    ]
    run("a")
    assert cloud.traits(hosts[0])[0] == FOREIGN
    # a host without a reporter has something of ours, too
    assert run("--all", "--yes").endswith(f"b lost {TOLD}\n")
    assert cloud.traits(hosts[1])[0] == FOREIGN
    assert cloud.names().isdisjoint({ASKED, TOLD, *OURS})


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
    assert "; broken: this user is not allowed" in text
    assert "\n" not in text
    assert cloud.traits(last)[0] == set()
    assert cloud.traits(broken)[0] == OURS


def test_all_takes_the_names_too(cloud, run):
    hosts = [cloud.host(name, FOREIGN | OURS) for name in ("b", "a")]
    bare = cloud.host("c", FOREIGN)
    cloud.placement.create_traits({"CUSTOM_VHARD_LATER"})
    shown = run("--all", "--yes")
    assert [each.split()[0] for each in shown.splitlines()] == ["a", "b", "c"]
    for host in (*hosts, bare):
        assert cloud.traits(host)[0] == FOREIGN
    # A name that nobody knows may be in a flavor.
    assert cloud.names() == {"CUSTOM_VHARDLY", "CUSTOM_VHARD_LATER"}


def test_all_names_what_stays(cloud, run):
    broken = cloud.host("broken", OURS)
    other = cloud.host("other", OURS)

    def refuse(method, url):
        wanted = method == "PUT" and broken in url
        return Answer(403, "no") if wanted else None

    cloud.faults.append(refuse)
    with pytest.raises(exceptions.CommandError) as caught:
        run("--all", "--yes")
    assert "broken: this user is not allowed" in str(caught.value)
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
    assert asked == ["Remove nova-vhard's traits from all hosts (1)? [y/N] "]
    assert cloud.traits(host)[0] == (set() if done else OURS)


def test_nobody_to_ask_is_a_no(cloud, run, monkeypatch):
    host = cloud.host("a", OURS)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(exceptions.CommandError, match="nothing was"):
        run("--all")
    assert cloud.traits(host)[0] == OURS


@pytest.mark.parametrize("words", [(), ("a", "--all")])
def test_neither_and_both_are_refused(run, words):
    with pytest.raises(exceptions.CommandError, match="or use --all"):
        run(*words)


def test_a_placement_that_is_down_is_one_line(cloud, run):
    cloud.faults.append(lambda method, url: Answer(503, "down"))
    with pytest.raises(PlacementError, match="status 503: down"):
        run("--all", "--yes")


def test_an_empty_cloud(cloud, run):
    assert run("--all", "--yes") == ""


def enroll(keystone, *hosts):
    accounts = keystones.OwnAccounts(keystone)
    for host in hosts:
        accounts.make(host, "0" * 36, "service", ["reporter"])


def test_a_hosts_credentials_go_first(cloud, run, keystone):
    cloud.host("a", OURS)
    enroll(keystone, "a", "b")
    lines = run("a").splitlines()
    assert lines[0] == (
        "a: user vhard-host-a is gone, and with it the host's credentials"
    )
    assert lines[1].startswith("a lost CUSTOM_VHARD_IOMMU")
    assert [user.name for user in keystone.users.values()] == ["vhard-host-b"]


def test_a_host_that_placement_has_forgotten_loses_its_credentials(
    run, keystone
):
    enroll(keystone, "a")
    assert run("a").startswith("a: user vhard-host-a is gone")
    assert keystone.users == {}


def test_users_of_its_name_in_other_domains_keep_nothing_alive(
    cloud, run, keystone
):
    cloud.host("a", OURS)
    enroll(keystone, "a")
    (own,) = keystone.users.values()
    theirs = [
        keystone.add("users", own.name, description=text, domain_id=text)
        for text in ("a trap", own.description)
    ]
    assert run("a").startswith("a: user vhard-host-a is gone")
    assert list(keystone.users.values()) == theirs[:1]


def test_all_takes_every_hosts_credentials(cloud, run, keystone):
    cloud.host("b", OURS)
    enroll(keystone, "b", "a")
    other = keystone.add("users", "vhard-host-x", description="mine")
    shown = run("--all", "--yes").splitlines()
    assert [line.split(":")[0] for line in shown[:2]] == ["a", "b"]
    assert list(keystone.users.values()) == [other]


def test_credentials_can_be_kept(cloud, run, keystone):
    host = cloud.host("a", OURS)
    enroll(keystone, "a")
    keystone.faults["find_user"] = sdk.ForbiddenException("not you")
    assert "user" not in run("--keep-credentials", "a")
    assert "user" not in run("--keep-credentials", "--all", "--yes")
    assert len(keystone.users) == 1
    assert cloud.traits(host)[0] == set()


@pytest.mark.parametrize("words", [("a",), ("--all", "--yes")])
def test_what_is_not_revoked_is_named_and_the_traits_go(
    cloud, run, keystone, words
):
    host = cloud.host("a", OURS)
    enroll(keystone, "a")
    keystone.faults["delete_user"] = sdk.ForbiddenException("not you")
    with pytest.raises(exceptions.CommandError) as caught:
        run(*words)
    assert str(caught.value).startswith(
        "not withdrawn: a: its credentials, if it has any, are not revoked: "
    )
    assert "--keep-credentials" in str(caught.value)
    assert cloud.traits(host)[0] == set()


def test_a_keystone_that_does_not_list_is_named(run, keystone):
    keystone.faults["role_assignments"] = sdk.ForbiddenException("not you")
    with pytest.raises(exceptions.CommandError, match="credentials: "):
        run("--all", "--yes")
