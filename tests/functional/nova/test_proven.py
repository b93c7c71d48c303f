# SPDX-License-Identifier: Apache-2.0
"""Hosts by what they have proven, and what the operator reads of it."""

import contextlib
import datetime
import json
import logging
import threading
from types import SimpleNamespace
from unittest import mock

import pytest
import requests
from keystoneauth1 import fixture as keystone
from keystoneauth1 import loading
from nova import objects
from oslo_config import cfg
from requests.adapters import HTTPAdapter

from nova_vhard.catalogue import traits
from nova_vhard.gates import nova_release, posture_filter
from nova_vhard.placement import marks
from nova_vhard.placement.client import PlacementError, Provider
from nova_vhard.placement.posture import Question
from nova_vhard.policy.hosts import (
    NO_CANDIDATE,
    NOBODY,
    UNKNOWN,
    HostRequirement,
)
from nova_vhard.policy.model import HostsRule, Mode, Trust
from tests import logged
from tests.unit.helpers import policy

objects.register_all()

LOGGER = "nova_vhard.gates.posture_filter"
RULES = policy(applies_to={"hypervisor_type": ["QEMU", "KVM"]})
OPTIONS = SimpleNamespace(
    posture_timeout=30,
    posture_ttl=60,
    posture_max_age=600,
    attestation_max_age=600,
)


def run(thread):
    """Run a thread at once, until it sleeps."""
    with contextlib.suppress(SystemExit):
        thread.run()


class Placement:
    """Placement, with the hosts that have proven everything.

    :ivar asked: traits that the hosts must have
    """

    def __init__(self, *hosts, known=("iommu", "kernel_aslr")):
        self.asked = []
        self._hosts = hosts
        self._known = {traits.of_check(name) for name in known}

    def known(self, names):
        now = datetime.datetime.now(datetime.UTC)
        return {*self._known, traits.of_hour(now)} & names

    def providers(self, required, _any_of):
        self.asked.append(set(required))
        return [Provider(f"uuid-of-{name}", name) for name in self._hosts]


@pytest.fixture
def hosts_of(monkeypatch):
    """Give a function: the filter of a fleet in which some have proven."""

    def make(*hosts, **more):
        placement = Placement(*hosts, **more)
        monkeypatch.setattr(
            posture_filter, "_connect", lambda _limit: placement
        )
        # At once: a demand in mode warn does not wait for the answer.
        monkeypatch.setattr(threading.Thread, "start", run)
        return posture_filter.PostureFilter(OPTIONS), placement

    return make


def host(name, kind="QEMU", uuid=None, **more):
    uuid = uuid or f"uuid-of-{name}"
    return SimpleNamespace(host=name, uuid=uuid, hypervisor_type=kind, **more)


A, B, C = (host(name) for name in "abc")
BARE = host("metal", "ironic")
#: As where the owner of a host in another cell takes an honest one's uuid.
DOUBLE = host("double", uuid=A.uuid)
IRONIC_DOUBLE = host("double", "ironic", A.uuid)


def demand(*checks, mode=Mode.ENFORCE, rule="hosts.require"):
    return HostRequirement((rule,), frozenset(checks or ("iommu",)), mode)


def texts(failed):
    """Return the texts of violations, and their modes."""
    return [(violation.cause.text, violation.mode) for violation in failed]


def fails(template, checks="iommu", mode=Mode.ENFORCE):
    """Return the one violation in such a list."""
    return [(template.format(checks=checks, what=""), mode)]


def none_left(passed, candidates, checks="iommu"):
    """Return the log line of a request without a host."""
    return (
        "INFO",
        f"No host is left that has passed the checks {checks}. "
        f"Passed: {passed}. Candidates: {candidates}.",
    )


IOMMU, ASLR = ([traits.of_check(name)] for name in ("iommu", "kernel_aslr"))
ONE = [demand()]
WARNED = demand("kernel_aslr", mode=Mode.WARN)
BOTH = "iommu, kernel_aslr"
FLEET = [f"{number:02}" for number in range(30)]
#: Hosts that have proven everything, demands, and hosts; then the hosts that
#: are left, what has failed, what Placement is asked, and what is logged.
CASES = {
    "one": ("a", ONE, [A], [A], [], [IOMMU], []),
    "another": ("a", ONE, [A, B], [A], [], [IOMMU], []),
    "last": ("a", ONE, [C, B, A], [A], [], [IOMMU], []),
    # a host that the policy leaves alone stays, in its place
    "bare": ("a", ONE, [BARE, A, B], [BARE, A], [], [IOMMU], []),
    "only bare": ("a", ONE, [B, BARE], [BARE], [], [IOMMU], []),
    # a type that is not known yet is judged
    "new": ("a", ONE, [A, host("new", None)], [A], [], [IOMMU], []),
    # a host that Placement does not know yet
    "no uuid": (
        "a",
        ONE,
        [A, SimpleNamespace(host="b", uuid=None, hypervisor_type="QEMU")],
        [A],
        [],
        [IOMMU],
        [],
    ),
    "case": (
        "a",
        ONE,
        [host("a", "Kvm"), host("b", "qemu")],
        [host("a", "Kvm")],
        [],
        [IOMMU],
        [],
    ),
    "double": ("ab", ONE, [A, B, DOUBLE], [B], [], [IOMMU], []),
    "ironic double": (
        "ab",
        ONE,
        [A, B, IRONIC_DOUBLE],
        [B, IRONIC_DOUBLE],
        [],
        [IOMMU],
        [],
    ),
    "nothing to judge": (
        "a",
        ONE,
        [BARE, host("other", "ironic")],
        [BARE, host("other", "ironic")],
        [],
        [],
        [],
    ),
    "no demand": ("a", [], [A, B], [A, B], [], [], []),
    "no candidate": (
        "ba",
        [demand("kernel_aslr", "iommu")],
        [host("z"), C],
        [],
        fails(NO_CANDIDATE, BOTH),
        [IOMMU + ASLR],
        [none_left("uuid-of-a, uuid-of-b", "c, z", BOTH)],
    ),
    "nobody": (
        "",
        ONE,
        [],
        [],
        fails(NOBODY),
        [IOMMU],
        [none_left("none", "none")],
    ),
    # Of a large fleet a few are named.
    "fleet": (
        FLEET,
        ONE,
        [host(f"c{name}") for name in FLEET],
        [],
        fails(NO_CANDIDATE),
        [IOMMU],
        [
            none_left(
                *(
                    ", ".join(f"{start}{name}" for name in FLEET[:20])
                    for start in ("uuid-of-", "c")
                )
            )
        ],
    ),
    # In another mode all hosts stay.
    **{
        f"{mode}": (
            "a",
            [demand(mode=mode)],
            [B, C],
            [B, C],
            fails(NO_CANDIDATE, mode=mode),
            [IOMMU],
            [none_left("uuid-of-a", "b, c")],
        )
        for mode in (Mode.WARN, Mode.AUDIT)
    },
    "warn of none": (
        "a",
        [demand(mode=Mode.WARN)],
        [A, C],
        [A, C],
        [],
        [IOMMU],
        [],
    ),
    # A warning is about the hosts that are left.
    "warn later": ("a", [WARNED, *ONE], [A, B], [A], [], [IOMMU, ASLR], []),
    "no warning": (
        "",
        [WARNED, *ONE],
        [B],
        [],
        fails(NOBODY),
        [IOMMU],
        [none_left("none", "b")],
    ),
}


@pytest.mark.parametrize(
    ("proven", "demands", "hosts", "left", "failed", "asked", "lines"),
    CASES.values(),
    ids=CASES,
)
def test_who_is_left(
    hosts_of, caplog, proven, demands, hosts, left, failed, asked, lines
):
    caplog.set_level(logging.INFO, LOGGER)
    proven_hosts, placement = hosts_of(*proven)
    result, wrong = proven_hosts.filter_hosts(RULES, demands, hosts)
    assert (result, texts(wrong)) == (left, failed)
    assert placement.asked == [set(names) for names in asked]
    assert logged.lines(caplog, LOGGER) == lines


@pytest.mark.parametrize("hosts", [[A, BARE], [BARE]])
def test_no_type_is_left_alone_where_hosts_must_be_attested(hosts_of, hosts):
    """A host reports its own hypervisor type, so it could lie."""
    proven_hosts, _ = hosts_of()
    proven_hosts._posture.keys = lambda: (b"key",)
    left, failed = proven_hosts.filter_hosts(
        RULES, [demand("attested")], hosts
    )
    assert (left, texts(failed)) == ([], fails(NOBODY, "attested"))


def test_each_request_is_answered_for_its_own_hosts(hosts_of):
    """Even if it requires the same checks as the request before."""
    proven_hosts, placement = hosts_of("a", "b")
    for hosts, left in (
        ([A, B], [A, B]),
        ([A, host("b", uuid="uuid-of-c")], [A]),
        ([A, host("a")], []),
        ([C, B, A], [B, A]),
    ):
        assert proven_hosts.filter_hosts(RULES, ONE, hosts)[0] == left
    # Another question has another answer.
    placement._hosts = ("b",)
    others = [demand("kernel_aslr")]
    assert proven_hosts.filter_hosts(RULES, others, [A, B])[0] == [B]
    assert proven_hosts.filter_hosts(RULES, ONE, [A, B])[0] == [A, B]


def test_limits_of_time_are_the_options(monkeypatch):
    connect, made = mock.Mock(), mock.Mock()
    monkeypatch.setattr(posture_filter, "_connect", connect)
    monkeypatch.setattr(posture_filter, "Posture", made)
    posture_filter.PostureFilter(OPTIONS)
    (connects, *ages), more = made.call_args
    connects()
    connect.assert_called_once_with(30.0)
    assert more.pop("attestation_max_age")() == OPTIONS.attestation_max_age
    assert (ages, more) == ([60, 600], {"timeout": 30.0})


def test_placement_does_not_answer(monkeypatch, caplog):
    def connect(_limit):
        raise PlacementError("no route")

    caplog.set_level(logging.INFO, LOGGER)
    monkeypatch.setattr(posture_filter, "_connect", connect)
    proven_hosts = posture_filter.PostureFilter(OPTIONS)
    left, failed = proven_hosts.filter_hosts(RULES, ONE, [A])
    assert (left, texts(failed)) == ([], fails(UNKNOWN))
    assert logged.lines(caplog, LOGGER) == [
        (
            "ERROR",
            "Cannot determine which checks the hosts have passed: Placement "
            "has not answered yet",
        ),
        none_left("none", "a"),
    ]


OLD, NEW = ({"version": version} for version in (69, 70))
CLEANED = "passthrough_one_time_use"


@pytest.mark.parametrize(
    ("services", "left", "old"),
    [
        ((NEW, NEW), [0, 1], []),
        ((OLD, NEW), [1], ["a, z"]),
        (({}, NEW), [1], ["a, z"]),
        ((None, {"version": "70"}), [1], ["a, z"]),
        ((OLD, OLD), [], ["a, b, z"]),
    ],
    ids=str,
)
def test_a_compute_that_is_upgraded_later_has_not_proven_what_it_ignores(
    hosts_of, caplog, monkeypatch, services, left, old
):
    """Controllers come first: two releases ahead in a SLURP upgrade."""
    caplog.set_level(logging.INFO, LOGGER)
    monkeypatch.setattr(nova_release, "release", lambda: 33)
    proven_hosts, _ = hosts_of("a", "b", known=("iommu", CLEANED))
    a, b = (
        host(name, service=service)
        for name, service in zip("ab", services, strict=True)
    )
    # of an old one that has proven nothing, nothing is said
    others = [host("z", service=OLD)]
    wanted = [demand(CLEANED, "iommu")]
    kept, failed = proven_hosts.filter_hosts(RULES, wanted, [a, b, *others])
    assert kept == [(a, b)[index] for index in left]
    checks = f"iommu, {CLEANED}"
    assert texts(failed) == ([] if left else fails(NO_CANDIDATE, checks))
    words = f"nova-compute is too old for the settings that {checks} checks: "
    said = [text for _, text in logged.lines(caplog, LOGGER) if "old" in text]
    assert said == [words + hosts for hosts in old]
    # what it does not ignore it has proven
    assert proven_hosts.filter_hosts(RULES, ONE, [a, b])[0] == [a, b]


def test_what_nova_ignores_nobody_has_proven(hosts_of, caplog, monkeypatch):
    monkeypatch.setattr(nova_release, "release", lambda: 31)
    proven_hosts, placement = hosts_of("a")
    wanted = demand(CLEANED, "one_time_use", "iommu")
    left, failed = proven_hosts.filter_hosts(RULES, [wanted], [A])
    checks = f"iommu, one_time_use, {CLEANED}"
    assert (left, texts(failed)) == ([], fails(NOBODY, checks))
    assert logged.lines(caplog, LOGGER)[0] == (
        "ERROR",
        "No host can pass: Nova 31 ignores the settings that "
        f"one_time_use, {CLEANED} checks",
    )
    assert placement.asked == []


KEYSTONE, PLACEMENT = "http://keystone.test/v3", "http://placement.test"
PLACEMENT_SECTION = f"""\
[placement]
auth_type = v3password
auth_url = {KEYSTONE}
username = nova
password = secret
user_domain_id = default
project_id = services
"""


def answer(status, content, headers):
    """Return a response of a service."""
    result = requests.Response()
    result.status_code, result._content = status, content
    result.headers.update(headers)
    result.request, result.url = requests.Request(), KEYSTONE
    return result


@pytest.mark.parametrize(
    ("limit", "most"), [("", 30.0), ("timeout = 7", 7.0), ("timeout = 60", 30)]
)
def test_requests_to_keystone_and_placement(
    tmp_path, monkeypatch, limit, most
):
    """The client uses the service's group ``placement``, as Nova does."""
    # A separate ConfigOpts, because a login registers its options for good.
    conf = cfg.ConfigOpts()
    for kind in ("auth", "session", "adapter"):
        register = getattr(loading, f"register_{kind}_conf_options")
        register(conf, "placement")
    conf.set_default("service_type", "placement", "placement")
    conf.set_default("valid_interfaces", ["internal"], "placement")
    path = tmp_path / "nova.conf"
    path.write_text(f"{PLACEMENT_SECTION}{limit}\n")
    conf([], project="nova", default_config_files=[str(path)])
    monkeypatch.setattr(posture_filter, "cfg", SimpleNamespace(CONF=conf))
    token = keystone.V3Token()
    token.add_service("placement").add_endpoint("internal", PLACEMENT)
    login = json.dumps(token).encode()
    send = mock.Mock(
        side_effect=[
            answer(201, login, {"X-Subject-Token": "token"}),
            answer(503, b"down", {}),
        ]
    )
    monkeypatch.setattr(HTTPAdapter, "send", send)
    client = posture_filter._connect(30.0)
    # the client sends nothing before the first question
    send.assert_not_called()
    # our client handles an error of Placement
    with pytest.raises(PlacementError, match="down") as raised:
        client.known({"CUSTOM_VHARD_IOMMU"})
    assert raised.value.status == 503
    (login, question), limits = zip(
        *(
            (each.args[0], each.kwargs["timeout"])
            for each in send.call_args_list
        ),
        strict=True,
    )
    assert limits == (most, most)
    assert login.url == f"{KEYSTONE}/auth/tokens"
    user = json.loads(login.body)["auth"]["identity"]["password"]["user"]
    assert user["name"] == "nova"
    assert question.url.startswith(f"{PLACEMENT}/traits")
    headers = ("X-Auth-Token", "OpenStack-API-Version")
    sent = [question.headers[name] for name in headers]
    assert sent == ["token", "placement 1.39"]


@pytest.mark.parametrize(
    ("required", "trust", "attested"),
    [
        ({"iommu"}, Trust.REPORTED, False),
        ({"iommu", "attested"}, Trust.REPORTED, True),
        ({"iommu"}, Trust.ATTESTED, True),
    ],
)
def test_what_placement_is_asked_of_attested_hosts(required, trust, attested):
    requirement = SimpleNamespace(checks=frozenset(required))
    rule = HostsRule(frozenset(), None, 5, trust)
    asked = posture_filter._question(requirement, rule)
    assert asked == Question(frozenset({"iommu"}), 5, attested)


def test_the_keys_of_marks_are_those_of_the_option(tmp_path):
    path = tmp_path / "key"
    path.write_text("ab" * 32)
    path.chmod(0o600)
    options = SimpleNamespace(**vars(OPTIONS), attestation_key_file=str(path))
    keys = posture_filter.PostureFilter(options)._posture.keys
    assert keys() == (bytes.fromhex("ab" * 32),)
    options.attestation_key_file = ""
    text = r"^\[vhard\] attestation_key_file is not set: name the key file of "
    with pytest.raises(marks.KeyFileError, match=text):
        keys()
