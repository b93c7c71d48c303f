# SPDX-License-Identifier: Apache-2.0
"""Hosts by what they have proven, and what the operator reads of it."""

import copy
import datetime
import json
import logging
from types import SimpleNamespace

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
SERVER = "5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9"


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
        return posture_filter.PostureFilter(OPTIONS), placement

    return make


@pytest.fixture
def lines(caplog):
    """Give a function: what is logged."""
    caplog.set_level(logging.INFO, LOGGER)

    return lambda: logged.lines(caplog, LOGGER)


def host(name, kind="QEMU"):
    return SimpleNamespace(
        host=name, uuid=f"uuid-of-{name}", hypervisor_type=kind
    )


A, B, C = (host(name) for name in "abc")
BARE = host("metal", "ironic")


def demand(*checks, mode=Mode.ENFORCE, rule="hosts.require"):
    return HostRequirement((rule,), frozenset(checks or ("iommu",)), mode)


def texts(failed):
    """Return the texts of violations, and their modes."""
    return [(violation.cause.text, violation.mode) for violation in failed]


def text(template, checks="iommu", what=""):
    return template.format(checks=checks, what=what)


@pytest.mark.parametrize(
    ("hosts", "left"),
    [
        ([A], [A]),
        ([A, B], [A]),
        ([C, B, A], [A]),
        # a host that the policy leaves alone stays, in its place
        ([BARE, A, B], [BARE, A]),
        ([B, BARE], [BARE]),
        # a type that is not known yet is judged
        ([A, host("new", None)], [A]),
        ([host("a", "Kvm"), host("b", "qemu")], [host("a", "Kvm")]),
    ],
)
def test_who_is_left(hosts_of, lines, hosts, left):
    proven_hosts, placement = hosts_of("a")
    assert proven_hosts.filter_hosts(RULES, [demand()], hosts) == (left, [])
    assert placement.asked == [{traits.of_check("iommu")}]
    assert lines() == []


def test_two_hosts_of_one_uuid_are_neither(hosts_of):
    # as where the owner of a host in another cell takes an honest one's
    double = host("double")
    double.uuid = A.uuid
    proven_hosts, _ = hosts_of("a", "b")
    asked = (RULES, [demand()], [A, B, double])
    assert proven_hosts.filter_hosts(*asked) == ([B], [])


def test_no_type_is_left_alone_where_hosts_must_be_attested(hosts_of):
    """A host says itself of which type it is."""
    proven_hosts, _ = hosts_of()
    proven_hosts._posture.keys = lambda: (b"key",)
    left, failed = proven_hosts.filter_hosts(
        RULES, [demand("attested")], [A, BARE]
    )
    assert left == []
    assert texts(failed) == [(text(NOBODY, "attested"), Mode.ENFORCE)]


def test_where_the_policy_leaves_all_alone_nobody_is_asked(hosts_of):
    proven_hosts, placement = hosts_of("a")
    hosts = [BARE, host("other", "ironic")]
    assert proven_hosts.filter_hosts(RULES, [demand()], hosts) == (hosts, [])
    assert placement.asked == []


class TestRequestsForTheSameHosts:
    """A cached comparison is not used for other hosts."""

    @pytest.fixture(autouse=True)
    def twice(self, hosts_of):
        self.hosts = [host("a"), host("b")]
        self.gate, self.placement = hosts_of("a", "b")
        for _ in range(2):
            assert self.left(self.hosts) == self.hosts

    def left(self, hosts):
        return self.gate.filter_hosts(RULES, [demand()], hosts)[0]

    def test_a_host_that_has_become_another(self):
        # HostStates stay, but their compute node may be recreated
        self.hosts[1].uuid = "uuid-of-c"
        assert self.left(self.hosts) == self.hosts[:1]

    def test_one_host_twice(self):
        again = [self.hosts[0], host("a")]
        assert self.left(again) == []
        assert self.left(again) == []
        assert self.left(self.hosts) == self.hosts

    @pytest.mark.parametrize("more", [("c",), ("c", "d")])
    def test_others_beside_them(self, more):
        others = [*self.hosts, *map(host, more)]
        assert self.left(others) == self.hosts
        assert self.left(others[::-1]) == self.hosts[::-1]

    def test_a_host_that_proves_it_no_more(self, hosts_of):
        again, _ = hosts_of("a")
        self.gate._posture = again._posture
        assert self.left(self.hosts) == self.hosts[:1]

    def test_something_else_that_they_prove(self, hosts_of):
        other = [demand("kernel_aslr")]
        self.placement._hosts = ("b",)
        assert self.gate.filter_hosts(RULES, other, self.hosts)[0] == [
            self.hosts[1]
        ]
        assert self.left(self.hosts) == self.hosts


def test_of_two_hosts_of_one_uuid_the_one_that_is_left_alone_stays(hosts_of):
    double = host("double", "ironic")
    double.uuid = A.uuid
    proven_hosts, _ = hosts_of("a", "b")
    left, _ = proven_hosts.filter_hosts(RULES, [demand()], [A, B, double])
    assert left == [B, double]


def test_without_a_demand_nobody_is_asked(hosts_of):
    proven_hosts, placement = hosts_of("a")
    assert proven_hosts.filter_hosts(RULES, [], [A, B]) == ([A, B], [])
    assert placement.asked == []


def test_no_candidate_has_proven_it(hosts_of, lines):
    proven_hosts, _ = hosts_of("b", "a")
    wanted = demand("kernel_aslr", "iommu")
    left, failed = proven_hosts.filter_hosts(RULES, [wanted], [host("z"), C])
    assert left == []
    both = text(NO_CANDIDATE, "iommu, kernel_aslr")
    assert texts(failed) == [(both, Mode.ENFORCE)]
    assert lines() == [
        (
            "INFO",
            "No host is left that has passed the checks iommu, "
            "kernel_aslr. Passed: uuid-of-a, uuid-of-b. Candidates: c, z.",
        )
    ]


def test_nobody_has_proven_it(hosts_of, lines):
    proven_hosts, _ = hosts_of()
    left, failed = proven_hosts.filter_hosts(RULES, [demand()], [])
    assert left == []
    assert texts(failed) == [(text(NOBODY), Mode.ENFORCE)]
    assert lines() == [
        (
            "INFO",
            "No host is left that has passed the checks iommu. Passed: "
            "none. Candidates: none.",
        )
    ]


def test_of_a_large_fleet_a_few_are_named(hosts_of, lines):
    names = [f"{number:02}" for number in range(30)]
    proven_hosts, _ = hosts_of(*names)
    proven_hosts.filter_hosts(
        RULES, [demand()], [host(f"c{name}") for name in names]
    )
    ((_, line),) = lines()
    proven_ones, candidates = (
        ", ".join(f"{start}{name}" for name in names[:20])
        for start in ("uuid-of-", "c")
    )
    assert line == (
        "No host is left that has passed the checks iommu. Passed: "
        f"{proven_ones}. Candidates: {candidates}."
    )


def test_limits_of_time_are_the_options(monkeypatch):
    made, limits = [], []
    monkeypatch.setattr(posture_filter, "_connect", limits.append)
    monkeypatch.setattr(
        posture_filter,
        "Posture",
        lambda *some, **more: made.append((some, more)) or SimpleNamespace(),
    )
    posture_filter.PostureFilter(OPTIONS)
    (((connect, *ages), more),) = made
    connect()
    assert more.pop("attestation_max_age")() == OPTIONS.attestation_max_age
    assert (limits, ages, more) == ([30.0], [60, 600], {"timeout": 30.0})


def test_placement_does_not_answer(monkeypatch, lines):
    def connect(_limit):
        raise PlacementError("no route")

    monkeypatch.setattr(posture_filter, "_connect", connect)
    proven_hosts = posture_filter.PostureFilter(OPTIONS)
    left, failed = proven_hosts.filter_hosts(RULES, [demand()], [A])
    assert left == []
    assert texts(failed) == [(text(UNKNOWN), Mode.ENFORCE)]
    assert lines() == [
        (
            "ERROR",
            "It is not known which checks the hosts have passed: Placement "
            "has not answered yet",
        ),
        (
            "INFO",
            "No host is left that has passed the checks iommu. Passed: "
            "none. Candidates: a.",
        ),
    ]


def test_what_nova_ignores_nobody_has_proven(hosts_of, lines, monkeypatch):
    monkeypatch.setattr(nova_release, "release", lambda: 31)
    proven_hosts, placement = hosts_of("a")
    wanted = demand("passthrough_one_time_use", "one_time_use", "iommu")
    left, failed = proven_hosts.filter_hosts(RULES, [wanted], [A])
    assert left == []
    checks = "iommu, one_time_use, passthrough_one_time_use"
    assert texts(failed) == [(text(NOBODY, checks), Mode.ENFORCE)]
    assert lines()[0] == (
        "ERROR",
        "No host counts as passed: Nova 31 ignores the settings that "
        "one_time_use, passthrough_one_time_use checks",
    )
    assert placement.asked == []


OLD, NEW = ({"version": version} for version in (69, 70))
CLEANED = "passthrough_one_time_use"


@pytest.mark.parametrize(
    ("services", "left"),
    [
        ((NEW, NEW), ["a", "b"]),
        ((OLD, NEW), ["b"]),
        (({}, NEW), ["b"]),
        ((None, {"version": "70"}), ["b"]),
        ((OLD, OLD), []),
    ],
    ids=str,
)
def test_a_compute_that_is_upgraded_later_has_not_proven_what_it_ignores(
    hosts_of, lines, monkeypatch, services, left
):
    """Controllers come first: two releases ahead in a SLURP upgrade."""
    monkeypatch.setattr(nova_release, "release", lambda: 33)
    proven_hosts, _ = hosts_of("a", "b", known=("iommu", CLEANED))
    hosts = [copy.copy(each) for each in (A, B)]
    for each, service in zip(hosts, services, strict=True):
        each.service = service
    kept, failed = proven_hosts.filter_hosts(
        RULES, [demand(CLEANED, "iommu")], hosts
    )
    assert [each.host for each in kept] == left
    checks = f"iommu, {CLEANED}"
    wrong = [] if left else [(text(NO_CANDIDATE, checks), Mode.ENFORCE)]
    assert texts(failed) == wrong
    old = ", ".join(each.host for each in hosts if each.host not in left)
    words = (
        f"nova-compute is too old for the settings that {checks} checks: {old}"
    )
    assert (("INFO", words) in lines()) is (len(left) < 2)
    # what it does not ignore it has proven
    kept, _ = proven_hosts.filter_hosts(RULES, [demand()], hosts)
    assert kept == hosts


def test_of_an_old_compute_that_has_proven_nothing_nothing_is_said(
    hosts_of, lines, monkeypatch
):
    monkeypatch.setattr(nova_release, "release", lambda: 33)
    proven_hosts, _ = hosts_of("a", known=("iommu", CLEANED))
    new, old = copy.copy(A), copy.copy(B)
    new.service, old.service = NEW, OLD
    assert proven_hosts.filter_hosts(RULES, [demand(CLEANED)], [new, old]) == (
        [new],
        [],
    )
    assert lines() == []


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.AUDIT])
def test_in_another_mode_all_hosts_stay(hosts_of, mode):
    proven_hosts, _ = hosts_of("a")
    wanted = [demand(mode=mode)]
    assert proven_hosts.filter_hosts(RULES, wanted, [B, C]) == (
        [B, C],
        [wanted[0].failed(NO_CANDIDATE)],
    )
    assert proven_hosts.filter_hosts(RULES, wanted, [A, C]) == ([A, C], [])


def test_a_warning_is_about_the_hosts_that_are_left(hosts_of):
    proven_hosts, placement = hosts_of("a")
    warned = demand("kernel_aslr", mode=Mode.WARN)
    left, failed = proven_hosts.filter_hosts(RULES, [warned, demand()], [A, B])
    assert (left, failed) == ([A], [])
    assert placement.asked == [
        {traits.of_check("iommu")},
        {traits.of_check("kernel_aslr")},
    ]


def test_where_no_host_is_left_there_is_no_warning(hosts_of):
    proven_hosts, _ = hosts_of()
    warned = demand("kernel_aslr", mode=Mode.WARN)
    left, failed = proven_hosts.filter_hosts(RULES, [warned, demand()], [B])
    assert left == []
    assert texts(failed) == [(text(NOBODY), Mode.ENFORCE)]


KEYSTONE, PLACEMENT = "http://keystone.test/v3", "http://placement.test"


class TestConnect:
    """By what the service has in its group ``placement``, as Nova does."""

    @pytest.fixture
    def configure(self, tmp_path, monkeypatch):
        """Give a function: set the limit that the group has, if any.

        In a configuration of its own: what a login needs is registered in it,
        and stays.
        """
        path = tmp_path / "nova.conf"
        conf = cfg.ConfigOpts()
        loading.register_auth_conf_options(conf, "placement")
        loading.register_session_conf_options(conf, "placement")
        loading.register_adapter_conf_options(conf, "placement")
        conf.set_default("service_type", "placement", "placement")
        conf.set_default("valid_interfaces", ["internal"], "placement")
        monkeypatch.setattr(posture_filter, "cfg", SimpleNamespace(CONF=conf))

        def configured(limit):
            lines = [
                "[placement]",
                "auth_type = v3password",
                f"auth_url = {KEYSTONE}",
                "username = nova",
                "password = secret",
                "user_domain_id = default",
                "project_id = services",
                *([f"timeout = {limit}"] if limit else ()),
            ]
            path.write_text("\n".join(lines))
            conf([], project="nova", default_config_files=[str(path)])

        return configured

    @pytest.fixture
    def sent(self, monkeypatch):
        """Give what is sent to Keystone and to Placement."""
        requests_sent = []
        token = keystone.V3Token()
        token.add_service("placement").add_endpoint("internal", PLACEMENT)
        headers = {"X-Subject-Token": "token"}

        def send(_adapter, request, timeout=None, **_more):
            requests_sent.append((request, timeout))
            answer = requests.Response()
            answer.request, answer.url = request, request.url
            if request.url.startswith(KEYSTONE):
                answer.status_code = 201
                answer.headers.update(headers)
                answer._content = json.dumps(token).encode()
            else:
                answer.status_code = 503
                answer._content = b"down"
            return answer

        monkeypatch.setattr(HTTPAdapter, "send", send)
        return requests_sent

    @pytest.mark.parametrize(
        ("limit", "most"), [(None, 30.0), (7, 7.0), (60, 30.0)]
    )
    def test_what_is_sent(self, configure, sent, limit, most):
        configure(limit)
        client = posture_filter._connect(30.0)
        # nothing is asked before the first question
        assert sent == []
        # an answer of Placement's is for our client to judge
        with pytest.raises(PlacementError) as raised:
            client.known({"CUSTOM_VHARD_IOMMU"})
        assert raised.value.status == 503
        assert "down" in str(raised.value)
        (login, first), (question, second) = sent
        assert (first, second) == (most, most)
        assert login.url == f"{KEYSTONE}/auth/tokens"
        user = json.loads(login.body)["auth"]["identity"]["password"]["user"]
        assert user["name"] == "nova"
        assert question.url.startswith(f"{PLACEMENT}/traits")
        assert question.headers["X-Auth-Token"] == "token"
        assert question.headers["OpenStack-API-Version"] == "placement 1.39"


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
    with pytest.raises(marks.KeyFileError) as caught:
        keys()
    assert str(caught.value) == (
        "[vhard] attestation_key_file is not set: name the key file of "
        "nova-vhard-attestor"
    )
