# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard host enroll`` and ``audit`` on the real Placement."""

import datetime
import os
import stat

import pytest
from keystoneauth1 import loading
from keystonemiddleware import auth_token
from openstack import exceptions as sdk
from osc_lib import exceptions
from oslo_config import cfg

from nova_vhard.cleaner.journal import State
from nova_vhard.common import files
from nova_vhard.conf import placement as placement_conf
from nova_vhard.osc.host.audit import AuditHosts
from nova_vhard.osc.host.enroll import EnrollHosts
from nova_vhard.placement import marks, names
from nova_vhard.placement.client import PlacementError
from nova_vhard.placement.connect import connect
from tests.functional.placement import keystone as keystones
from tests.functional.placement.attestors import TRAIT, Desk
from tests.functional.placement.conftest import Answer

COMPUTE = "COMPUTE_NODE"
SHARES = "MISC_SHARES_VIA_AGGREGATE"
IOMMU = "CUSTOM_VHARD_IOMMU"
PASSWORD = """\
[placement]
auth_type = password
auth_url = https://old.example/v3
username = everybody
password = SECRET
project_name = service
timeout = 7
"""


@pytest.fixture
def compute1(cloud):
    """Return the host that most tests enroll."""
    return cloud.host("compute1", {COMPUTE})


@pytest.fixture
def run(cloud, keystone, openstack, compute1):
    """Return what runs a command: its result, or the lines it printed."""

    def run(kind, *words, url="https://placement.example/placement"):
        client = keystones.client(cloud, keystone, url)
        result = openstack(kind, *words, client=client)
        return result.splitlines() if isinstance(result, str) else result

    return run


@pytest.fixture
def enroll(cloud, run, tmp_path):
    cloud.insert(names.of_checks())

    def enroll(*words, **more):
        return run(EnrollHosts, "--folder", str(tmp_path), *words, **more)

    return enroll


def rules(keystone, name, program="reporter"):
    """Return the access rules of a host's program."""
    user = keystone.find_user(f"vhard-host-{name}")
    (result,) = [
        each
        for each in keystone.application_credentials(user.id)
        if each.name == program
    ]
    return result.access_rules


def held_to(cloud, entries, prefix="/placement"):
    """Have Placement refuse what keystonemiddleware would refuse."""

    def refuse(method, url):
        path = prefix + url.partition("?")[0]
        fits = any(
            each["service"] == "placement"
            and each["method"] == method
            and auth_token._path_matches(path, each["path"])
            for each in entries
        )
        return None if fits else Answer(401, "Token authorization failed")

    cloud.faults[:] = [refuse]


def test_a_host_gets_a_user_a_credential_and_a_file(
    compute1, enroll, keystone, tmp_path
):
    # By its uuid, or by its name, as all others here.
    lines = enroll(compute1)
    path = tmp_path / "compute1" / "reporter-placement.conf"
    assert lines[0] == "compute1: user vhard-host-compute1 made"
    assert str(path) in lines[1] and compute1 in lines[1]
    assert len(lines) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == [path.name]
    user = keystone.find_user("vhard-host-compute1")
    (made,) = keystone.application_credentials(user.id)
    assert made.unrestricted is False
    assert made.roles == [{"name": "vhard-reporter"}]
    text = path.read_text()
    assert made.secret in text and made.secret not in "".join(lines)
    assert keystone.passwords[user.id] not in text


def test_the_names_of_reports_are_made_first(
    cloud, weeks, run, keystone, tmp_path
):
    words = ("--folder", str(tmp_path), "compute1")
    cloud.faults.append(
        lambda method, url: Answer(503, "down") if method == "PUT" else None
    )
    with pytest.raises(PlacementError, match="status 503"):
        run(EnrollHosts, *words)
    assert not keystone.users
    cloud.faults.clear()
    run(EnrollHosts, *words)
    now = datetime.datetime.now(datetime.UTC)
    assert names.days_ahead(cloud.placement, now) == names.DAYS
    assert cloud.placement.known(names.of_checks()) == names.of_checks()


def test_keystoneauth_logs_in_by_the_file_whatever_stood_there_before(
    enroll, keystone, tmp_path
):
    enroll("compute1", "--auth-url", "https://inner.example/$v3")
    old = tmp_path / "reporter.conf"
    old.write_text(PASSWORD)
    conf = cfg.ConfigOpts()
    new = tmp_path / "compute1" / "reporter-placement.conf"
    conf([], default_config_files=[str(old), str(new)])
    placement_conf.register(conf)
    auth = loading.load_auth_from_conf_options(conf, "placement")
    user = keystone.find_user("vhard-host-compute1")
    (made,) = keystone.application_credentials(user.id)
    (method,) = auth.auth_methods
    assert auth.auth_url == "https://inner.example/$v3"
    assert method.application_credential_id == made.id
    assert method.application_credential_secret == made.secret
    assert not auth.has_scope_parameters
    assert conf.placement.region_name == "RegionOne"
    assert conf.placement.timeout == 7
    connect(conf)


def test_rules_hold_a_reporter_to_its_own_host(
    cloud, compute1, enroll, keystone
):
    other = cloud.host("compute2", {COMPUTE})
    enroll("compute1")
    held_to(cloud, rules(keystone, "compute1"))
    placement = cloud.placement
    assert placement.provider(name="compute1").uuid == compute1
    placement.known({IOMMU})
    assert placement.update(compute1, lambda ours: {IOMMU})
    with pytest.raises(PlacementError, match="401"):
        placement.update(other, lambda ours: {IOMMU})
    with pytest.raises(PlacementError, match="401"):
        placement.create_traits(["CUSTOM_OTHER"])
    with pytest.raises(PlacementError, match="401"):
        placement.delete_trait(IOMMU)


def test_a_cleaner_cleans_by_its_rules_and_only_its_devices(
    used, cloud, compute1, enroll, keystone
):
    used.use()
    _, *files = enroll(used.host)
    assert [line.split(": ")[1].rpartition("/")[2] for line in files] == [
        "reporter-placement.conf",
        "cleaner-placement.conf",
    ]
    held_to(cloud, rules(keystone, used.host, "cleaner"))
    assert used.round()
    assert used.record.state is State.RELEASED
    with pytest.raises(PlacementError, match="401"):
        cloud.placement.inventories(compute1)


@pytest.mark.parametrize(
    ("url", "more", "prefix"),
    [
        ("https://api.example/placement/", (), "/placement"),
        ("http://10.0.0.1:8778", (), ""),
        ("http://10.0.0.1:8778", ("--path-prefix", "x/y/"), "/x/y"),
        ("https://api.example/placement", ("--path-prefix", "/"), ""),
    ],
)
def test_rules_begin_with_the_path_of_placement(
    enroll, keystone, url, more, prefix
):
    enroll("compute1", *more, url=url)
    result = {each["path"] for each in rules(keystone, "compute1")}
    assert f"{prefix}/resource_providers" in result
    assert all(each.startswith(f"{prefix}/") for each in result)


def test_a_host_that_is_enrolled_stays_so_without_force(
    enroll, keystone, tmp_path
):
    enroll("compute1")
    path = tmp_path / "compute1" / "reporter-placement.conf"
    text, before = path.read_text(), rules(keystone, "compute1")
    with pytest.raises(exceptions.CommandError, match="--force replaces it"):
        enroll("compute1")
    path.rename(tmp_path / "handed-over")
    with pytest.raises(exceptions.CommandError, match="already enrolled"):
        enroll("compute1")
    assert rules(keystone, "compute1") is before
    assert not path.exists()
    enroll("compute1", "--force")
    assert path.read_text() != text
    assert rules(keystone, "compute1") is not before


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("create_application_credential", "no more than 1"),
        ("write", "No space left"),
    ],
)
def test_what_fails_half_way_leaves_nothing(
    enroll, keystone, tmp_path, monkeypatch, fault, words
):
    if fault == "write":

        def full(*arguments):
            raise OSError(28, "No space left")

        monkeypatch.setattr("nova_vhard.common.files.create", full)
    else:
        keystone.faults[fault] = sdk.ForbiddenException("no more than 1")
    with pytest.raises(exceptions.CommandError, match=words):
        enroll("compute1")
    assert keystone.users == {}
    assert os.listdir(tmp_path / "compute1") == []


@pytest.mark.parametrize("when", ["user", "file"])
def test_two_who_enroll_a_host_at_once_take_nothing_from_each_other(
    enroll, keystone, tmp_path, monkeypatch, when
):
    """The other has been faster by the user alone, or by the file, too."""
    path = tmp_path / "compute1" / "reporter-placement.conf"
    others = []
    make, write = keystone.create_user, files.create

    def made(name, **more):
        others.append(keystone.add("users", name, description="theirs"))
        return make(name, **more)

    def written(where, text, mode):
        path.write_text("theirs")
        write(where, text, mode)

    if when == "user":
        monkeypatch.setattr(keystone, "create_user", made)
    else:
        monkeypatch.setattr(files, "create", written)
    with pytest.raises(exceptions.CommandError, match=r"is such a|exists"):
        enroll("compute1")
    assert list(keystone.users.values()) == others
    assert path.exists() == (when == "file")
    assert not path.exists() or path.read_text() == "theirs"


def test_what_cannot_be_undone_is_named(enroll, keystone):
    keystone.faults["create_application_credential"] = sdk.SDKException("no")
    keystone.faults["delete_user"] = sdk.SDKException("gone away")
    with pytest.raises(exceptions.CommandError) as caught:
        enroll("compute1")
    assert str(caught.value) == (
        "not enrolled: compute1: no; and user vhard-host-compute1 is left "
        "over (gone away): openstack vhard host withdraw compute1 deletes it"
    )


@pytest.mark.parametrize(
    ("mode", "user", "words"),
    [
        (None, None, "not a folder that you own"),
        (0o770, None, "may write to"),
        (0o707, None, "may write to"),
        (0o700, 12345, "not a folder that you own"),
    ],
    ids=["a link", "of a group", "of all", "of another user"],
)
def test_no_secret_is_put_where_others_can_replace_it(
    enroll, keystone, tmp_path, monkeypatch, mode, user, words
):
    place = tmp_path / "compute1"
    if mode is None:
        place.symlink_to(tmp_path)
    else:
        place.mkdir()
        place.chmod(mode)
    if user:
        monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(exceptions.CommandError, match=words):
        enroll("compute1", "--force")
    assert not keystone.users


def test_a_host_whose_name_differs_by_case_keeps_its_user(
    cloud, enroll, keystone
):
    cloud.host("Compute1", {COMPUTE})
    enroll("compute1")
    before = dict(keystone.users)
    with pytest.raises(exceptions.CommandError, match="there is such a user"):
        enroll("Compute1", "--force")
    assert keystone.users == before


def test_a_name_in_another_domain_keeps_nobody_from_being_enrolled(
    enroll, keystone
):
    """The admin of a domain can create users of any name in it."""
    enroll("compute1")
    (own,) = keystone.users.values()
    trap = keystone.add("users", own.name, description="", domain_id="theirs")
    enroll("compute1", "--force")
    trapped, made = keystone.users.values()
    assert trapped is trap
    assert made.id != own.id
    (credential,) = keystone.application_credentials(made.id)
    assert credential.name == "reporter"


def test_all_are_tried_and_the_failures_named_at_the_end(
    cloud, enroll, keystone
):
    cloud.host("pool", {"CUSTOM_OTHER"})
    cloud.host("a/../b", {COMPUTE})
    with pytest.raises(exceptions.CommandError) as caught:
        enroll("gone\x1b", "a/../b", "pool", "compute1", "compute1")
    assert str(caught.value) == (
        "not enrolled: gone: no resource provider with name=gone%1B; "
        "a/../b: its provider's name is not a host name; "
        "pool: its provider is not that of a compute node"
    )
    assert keystone.find_user("vhard-host-compute1")


def test_a_folder_that_cannot_be_made_is_named(enroll, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(exceptions.CommandError) as caught:
        enroll("compute1", "--folder", str(tmp_path / "file"))
    assert str(caught.value).startswith(
        f"not enrolled: compute1: {tmp_path}/file/"
    )
    assert str(caught.value).endswith(": cannot be written: Not a directory")


def test_what_keystone_lacks_is_named(enroll, keystone):
    with pytest.raises(exceptions.CommandError, match="no project services"):
        enroll("compute1", "--project", "services")
    with pytest.raises(exceptions.CommandError, match="no endpoint"):
        enroll("compute1", url=None)
    keystone.roles.clear()
    with pytest.raises(exceptions.CommandError, match="role create vhard-rep"):
        enroll("compute1")
    assert keystone.users == {}


def test_somebody_elses_user_is_left_alone(enroll, keystone):
    other = keystone.add("users", "vhard-host-compute1", description="mine")
    with pytest.raises(exceptions.CommandError, match="was not made by"):
        enroll("compute1", "--force")
    assert list(keystone.users.values()) == [other]


def grant(keystone, user, role):
    project = keystone.find_project("service")
    keystone.assign_project_role_to_user(
        project, user, keystone.find_role(role).id
    )


def test_an_audit_lists_logins_and_no_host_whose_credentials_fit(
    enroll, run, keystone
):
    enroll("compute1")
    nova = keystone.add("users", "nova", description="")
    old = keystone.add("users", "everybody\x1b", description="")
    grant(keystone, nova, "service")
    grant(keystone, old, "vhard-reporter")
    columns, rows = run(AuditHosts)
    assert columns == ("User", "By", "Role", "Project", "May Write")
    assert rows == [
        ("nova", "login", "service", "service", "every provider"),
        ("everybody", "login", "vhard-reporter", "service", "every provider"),
    ]
    _, shorter = run(AuditHosts, "--limit", "1")
    assert shorter == rows[:1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"access_rules": None}, "every provider: it has no access rules"),
        (
            {"roles": [{"name": "vhard-reporter"}, {"name": "service"}]},
            "every provider: a token with this role voids access rules",
        ),
        (
            {
                "access_rules": [
                    {"service": "placement", "method": "PUT", "path": path}
                    for path in (
                        "/placement/**",
                        "/placement/resource_providers/x/traits",
                    )
                ]
            },
            "PUT /placement/**, PUT /placement/resource_providers/x/traits",
        ),
        (
            {
                "access_rules": [
                    {"service": "image", "method": "PUT", "path": "/**"},
                    {"service": "placement", "method": "GET", "path": "/**"},
                ]
            },
            "",
        ),
    ],
)
def test_an_audit_lists_a_credential_that_is_too_wide(
    enroll, run, keystone, change, words
):
    enroll("compute1")
    user = keystone.find_user("vhard-host-compute1")
    (made,) = keystone.application_credentials(user.id)
    vars(made).update(change)
    _, rows = run(AuditHosts)
    assert [row[-1] for row in rows] == [words] * bool(words)
    assert all(row[:2] == (user.name, f"credential {made.id}") for row in rows)


def test_an_audit_lists_hosts_users_that_enroll_did_not_make(
    enroll, run, keystone
):
    enroll("compute1")
    user = keystone.find_user("vhard-host-compute1")
    grant(keystone, user, "admin")
    text = user.description
    fake = keystone.add("users", "vhard-host-x", description=text)
    grant(keystone, fake, "vhard-cleaner")
    _, rows = run(AuditHosts)
    assert [(row[0], row[2]) for row in rows] == [
        ("vhard-host-compute1", "admin"),
        ("vhard-host-x", "vhard-reporter, vhard-cleaner"),
    ]


def test_an_audit_lists_hosts_that_share_with_others(cloud, run):
    """So that their neighbours count for what they have not proven."""
    cloud.host("compute2", {COMPUTE, SHARES})
    cloud.host("storage", {SHARES})
    _, rows = run(AuditHosts)
    assert [row[:2] for row in rows] == [("compute2", f"trait {SHARES}")]


def test_an_audit_lists_groups_whoever_is_known_to_be_in_them(run, keystone):
    """A federated login is in one that has no member in Keystone."""
    admins = keystone.add("groups", "federated\x1b admins")
    grant(keystone, admins, "admin")
    _, rows = run(AuditHosts)
    who = "members of group federated admins"
    assert rows == [(who, "login", "admin", "service", "every provider")]


def test_a_keystone_that_refuses_is_one_line(run, keystone):
    keystone.faults["role_assignments"] = sdk.ForbiddenException("not you")
    with pytest.raises(exceptions.CommandError, match="Keystone: not you"):
        run(AuditHosts)


def test_a_hosts_own_credential_makes_no_mark(
    cloud, enroll, keystone, tmp_path
):
    """It writes the trait, by Placement's API; that counts for nothing."""
    desk = Desk(cloud, tmp_path)
    own = desk.host("compute2")
    enroll("compute2")
    desk.failed.add("agent of compute2")
    held_to(cloud, rules(keystone, "compute2"))
    assert cloud.placement.update(own, lambda ours: {TRAIT}, TRAIT)
    mark = marks.make(b"f" * 32, 1_900_000_000, [own]).name
    with pytest.raises(PlacementError, match="401"):
        cloud.placement.create_traits([mark])
    cloud.faults.clear()
    assert desk.scheduler() == frozenset()
    assert desk.attestor().once()
    assert TRAIT not in cloud.traits(own)[0]
