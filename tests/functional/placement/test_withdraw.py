# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard host withdraw`` on the real Placement."""

import datetime
import io

import pytest
from openstack import exceptions as sdk
from osc_lib import exceptions

from nova_vhard.catalogue import traits
from nova_vhard.osc.host.withdraw import WithdrawHosts
from nova_vhard.placement.reader import PlacementError
from tests.functional.placement import keystone as keystones
from tests.functional.placement.conftest import Answer
from tests.functional.placement.reports import SAMPLE

NOW = datetime.datetime.now(datetime.UTC)
OURS = {"CUSTOM_VHARD_IOMMU", traits.of_hour(NOW)}
FOREIGN = {SAMPLE, "COMPUTE_NODE", "CUSTOM_OTHER", "CUSTOM_VHARDLY"}
ALL = ("--all", "--yes")


@pytest.fixture
def run(cloud, openstack, keystone):
    """Return a function that runs the command and returns its output."""

    def run(*words):
        client = keystones.client(cloud, keystone)
        return openstack(WithdrawHosts, *words, client=client)

    return run


def refuse(cloud, host):
    """Refuse each write of a host's traits."""

    def fault(method, url):
        wanted = method == "PUT" and host in url
        return Answer(403, "no") if wanted else None

    cloud.faults.append(fault)


def test_one_host(cloud, run):
    host = cloud.host("a", FOREIGN | OURS)
    other = cloud.host("b", FOREIGN | OURS)
    assert run("a") == f"a lost {', '.join(sorted(OURS))}\n"
    assert cloud.traits(host)[0] == FOREIGN
    assert cloud.traits(other)[0] == FOREIGN | OURS
    assert cloud.names() >= OURS
    assert run("a") == "a lost nothing\n"


ASKED = "CUSTOM_VHDEV_0000_3B_00_0_RELEASE_G17"
TOLD = "CUSTOM_VHDEV_0000_3B_00_0_NO_RULE"


def test_what_a_cleaner_says_and_is_asked_for_goes_too(cloud, run):
    first = cloud.host("a", FOREIGN | OURS | {ASKED})
    other = cloud.host("b", FOREIGN | {TOLD})
    run("a")
    assert cloud.traits(first)[0] == FOREIGN
    # A host without a reporter has something of ours, too.
    assert run(*ALL).endswith(f"b lost {TOLD}\n")
    assert cloud.traits(other)[0] == FOREIGN
    assert cloud.names().isdisjoint({ASKED, TOLD, *OURS})


def test_an_unknown_host_is_one_line(run):
    with pytest.raises(exceptions.CommandError) as caught:
        run("nobody\x1b")
    assert str(caught.value) == (
        "not withdrawn: nobody: no resource provider with name=nobody%1B"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("nobody", "broken", "last", "last"),
            ("not withdrawn: nobody: ", "; broken: this user is not allowed"),
        ),
        (ALL, ("broken: this user is not allowed", *OURS)),
    ],
)
def test_all_are_tried_and_the_failures_named_at_the_end(
    cloud, run, words, said
):
    broken, last = cloud.host("broken", OURS), cloud.host("last", OURS)
    refuse(cloud, broken)
    with pytest.raises(exceptions.CommandError) as caught:
        run(*words)
    text = str(caught.value)
    assert all(each in text for each in said)
    assert "\n" not in text
    assert cloud.traits(last)[0] == set()
    assert cloud.traits(broken)[0] == OURS


def test_all_takes_the_names_too(cloud, run):
    hosts = [cloud.host(name, FOREIGN | OURS) for name in ("b", "a")]
    bare = cloud.host("c", FOREIGN)
    cloud.placement.create_traits({"CUSTOM_VHARD_LATER"})
    shown = run(*ALL)
    assert [each.split()[0] for each in shown.splitlines()] == ["a", "b", "c"]
    for host in (*hosts, bare):
        assert cloud.traits(host)[0] == FOREIGN
    # A name that nobody knows may be in a flavor.
    assert cloud.names() == {"CUSTOM_VHARDLY", "CUSTOM_VHARD_LATER"}


@pytest.mark.parametrize(
    ("answer", "done"),
    [
        ("y\n", True),
        ("YES \n", True),
        ("\n", False),
        ("n\n", False),
        ("", False),
    ],
    ids=["y", "YES", "Enter", "n", "nobody to ask"],
)
def test_all_asks_first(cloud, run, monkeypatch, capsys, answer, done):
    host = cloud.host("a", OURS)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    if done:
        run("--all")
    else:
        with pytest.raises(exceptions.CommandError, match="nothing was"):
            run("--all")
    asked = "Remove nova-vhard's traits from all hosts (1)? [y/N] "
    assert asked in "".join(capsys.readouterr())
    assert cloud.traits(host)[0] == (set() if done else OURS)


@pytest.mark.parametrize("words", [(), ("a", "--all")])
def test_neither_and_both_are_refused(run, words):
    with pytest.raises(exceptions.CommandError, match="or use --all"):
        run(*words)


def test_a_placement_that_is_down_is_one_line(cloud, run):
    assert run(*ALL) == ""
    cloud.faults.append(lambda method, url: Answer(503, "down"))
    with pytest.raises(PlacementError, match="status 503: down"):
        run(*ALL)


def enroll(keystone, *hosts):
    accounts = keystones.OwnAccounts(keystone)
    for host in hosts:
        accounts.make(host, "0" * 36, "service", ["reporter"])


def test_a_hosts_credentials_go_first(cloud, run, keystone):
    cloud.host("a", OURS)
    enroll(keystone, "a", "b", "c")
    lines = run("a").splitlines()
    assert lines[0] == (
        "a: user vhard-host-a is gone, and with it the host's credentials"
    )
    assert lines[1].startswith("a lost CUSTOM_VHARD_IOMMU")
    # Placement has forgotten that host.
    assert run("c").startswith("c: user vhard-host-c is gone")
    assert [user.name for user in keystone.users.values()] == ["vhard-host-b"]


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
    shown = run(*ALL).splitlines()
    assert [line.split(":")[0] for line in shown[:2]] == ["a", "b"]
    assert list(keystone.users.values()) == [other]


def test_credentials_can_be_kept(cloud, run, keystone):
    host = cloud.host("a", OURS)
    enroll(keystone, "a")
    keystone.faults["find_user"] = sdk.ForbiddenException("not you")
    assert "user" not in run("--keep-credentials", "a")
    assert "user" not in run("--keep-credentials", *ALL)
    assert len(keystone.users) == 1
    assert cloud.traits(host)[0] == set()


@pytest.mark.parametrize("words", [("a",), ALL])
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
        run(*ALL)
