# SPDX-License-Identifier: Apache-2.0
"""A command that did not do what it was asked does not end with 0."""

import datetime
import json
from types import SimpleNamespace

import glanceclient.exc
import pytest
import requests
from openstack import exceptions as sdk

from nova_vhard.catalogue import results, traits
from nova_vhard.osc.host.accounts import Accounts
from nova_vhard.placement.client import Placement
from tests.unit.cli import desk, test_cases

NO_RIGHTS = "this user is not allowed to do that (HTTP 403); use one with "
UUID = "11111111-1111-1111-1111-111111111111"
DEVICE = ("compute1", "0000:3b:00.0")


def answer(status, body):
    response = requests.Response()
    response.status_code, response._content = status, json.dumps(body).encode()
    response.headers["content-type"] = "application/json"
    response.request = requests.Request("GET", "http://nova.example")
    return response


DENIED = answer(
    403, {"errors": [{"status": 403, "detail": "Policy does not"}]}
)


def placement(traits_of_host=(), denied=""):
    """Return our client of a Placement that has one host, compute1.

    :param denied: begins the paths that this login may not ask for
    """
    host = {"uuid": UUID, "name": "compute1", "root_provider_uuid": UUID}
    names = {"traits": [*traits_of_host], "resource_provider_generation": 1}

    def ask(url, *data, version):
        if denied and url.startswith(denied):
            return DENIED
        wanted = url.partition("required=")[2].removeprefix("in:").split(",")
        found = "required" not in url or {*wanted} & {*traits_of_host}
        listed = {"resource_providers": [host] if found else []}
        return answer(204 if data == (None,) else 200, names | listed)

    return Placement(SimpleNamespace(get=ask, put=ask, delete=ask))


class Images(dict):
    """glanceclient's images, by their ids.

    :ivar error: what each write, and a listing, raises
    """

    error = None

    @property
    def http_client(self):
        return SimpleNamespace(get=self._page, get_endpoint=lambda: "http://g")

    def _page(self, url):
        if not self:
            raise self.error
        hidden = "os_hidden=true" in url
        return None, {"images": [] if hidden else list(self.values())}

    def get(self, name):
        if name not in self:
            raise glanceclient.exc.HTTPNotFound(name)
        return self[name]

    def update(self, name, **values):
        if self.error and name != "a":
            raise self.error
        self[name].pop("", values.pop("remove_props", None))
        self[name].update(values)


class Denying:
    """A proxy of openstacksdk for somebody without rights."""

    def __getattr__(self, name):
        def ask(*arguments, **more):
            sdk.raise_from_response(DENIED)

        return ask

    def get(self, *arguments, **more):
        return DENIED

    @staticmethod
    def get_endpoint_data(*arguments, **more):
        return None


def cloud(host=(), denied="", glance=None, error=None, compute=None):
    """Return a client manager's attributes."""
    images = Images(glance or {})
    images.error = error
    session = SimpleNamespace(auth=SimpleNamespace(auth_url="http://k/v3"))
    denying = SimpleNamespace(identity=Denying())
    vhard = SimpleNamespace(
        placement=placement(host, denied),
        images=images,
        compute=compute or Denying(),
        network=Denying(),
        block_storage=Denying(),
        accounts=Accounts(denying, session),
        placement_url=lambda: "http://p",
        origin={},
    )
    return {"vhard": vhard, "sdk_connection": denying}


HTTP_403 = glanceclient.exc.HTTPForbidden("<html>no</html>")
NO_PLACEMENT = {"denied": "/"}
NO_GLANCE = {"error": HTTP_403}
BASELINE = ("--policy", "baseline")

DENIALS = [
    ("device_clean", DEVICE, NO_PLACEMENT, "Placement"),
    ("device_list", (), NO_PLACEMENT, "Placement"),
    ("device_release", DEVICE, NO_PLACEMENT, "Placement"),
    ("device_show", DEVICE, NO_PLACEMENT, "Placement"),
    ("flavor_audit", BASELINE, {}, "Nova"),
    ("flavor_sync", BASELINE, {}, "Nova"),
    ("host_audit", (), NO_PLACEMENT, "Placement"),
    ("host_audit", (), {}, "Keystone"),
    ("host_enroll", ("compute1",), NO_PLACEMENT, "Placement"),
    ("host_fix", ("--ansible", "f"), NO_PLACEMENT, "Placement"),
    ("host_list", (), NO_PLACEMENT, "Placement"),
    ("host_show", ("compute1",), NO_PLACEMENT, "Placement"),
    ("host_withdraw", ("--all", "--yes"), NO_PLACEMENT, "Placement"),
    ("image_audit", ("--all", *BASELINE), NO_GLANCE, "Glance"),
    ("policy_metadefs", BASELINE, NO_GLANCE, "Glance"),
    ("server_audit", ("--all-projects", *BASELINE), {}, "Nova"),
]


@pytest.mark.parametrize(
    ("name", "words", "stubs", "service"),
    DENIALS,
    ids=[f"{name} {service}" for name, _, _, service in DENIALS],
)
def test_a_login_without_rights_is_told_so_in_one_sentence(
    name, words, stubs, service, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    status, _, text = desk.typed(
        " ".join((*name.split("_"), *words)), capsys, **cloud(**stubs)
    )
    assert status == 1
    assert text.startswith(f"{service}: {NO_RIGHTS}")
    assert "\n" not in text
    assert list(tmp_path.iterdir()) == []


class Nova(Denying):
    """A Nova that shows a flavor with a trait too many, and no more."""

    def flavors(self, **wanted):
        return [
            SimpleNamespace(
                id="f",
                name="gpu",
                extra_specs={"trait:CUSTOM_VHARD_IOMMU": "required"},
            )
        ]


FAILED = {"COMPUTE_NODE", *results.encode({"smt": "FAIL"})}
ENTRY = {"image": "a", "before": {"x": "1"}, "after": {"x": "2"}}
DEFINITION = {
    "namespace": "n",
    "name": "p",
    "before": "{}",
    "after": {"enum": []},
}
POLICY = """
version: "1"
extends: baseline
guest_devices: {disk_bus: {allow: [virtio], replace: {ide: virtio}}}
"""


def image(name, **more):
    return {"id": name, "name": name, "status": "active", **more}


def lines(*objects):
    return "".join(f"{json.dumps(each)}\n" for each in objects)


def journal(*entries):
    return lines({"journal": 1, "cloud": "http://g"}, ENTRY, *entries)


#: Command line, input data, exit status, and output for each failure.
#: The content of file "f" is under "file".
PARTLY = {
    "restore refused": (
        ("image_restore", "f"),
        {
            "file": journal({**ENTRY, "image": "b"}),
            "glance": {"a": image("a", x="2"), "b": image("b", x="2")},
            "error": HTTP_403,
        },
        (1, ["a | restored", "b | failed: "]),
    ),
    "restore of what is gone": (
        ("image_restore", "f"),
        {"file": journal()},
        (1, ["a | is gone"]),
    ),
    "restore of what has changed": (
        ("image_restore", "f"),
        {"file": journal(), "glance": {"a": image("a", x="3")}},
        (1, ["a | changed since: x"]),
    ),
    "restore of an image that is something else now": (
        ("image_restore", "f"),
        {
            "file": lines(
                {"journal": 1, "cloud": "http://g"},
                {"image": "a", "status": "active"},
            ),
            "glance": {"a": image("a") | {"status": "killed"}},
        },
        (1, ["a | changed since: is killed"]),
    ),
    "restored": (
        ("image_restore", "f"),
        {"file": journal(), "glance": {"a": image("a", x="2")}},
        (0, ["a | restored"]),
    ),
    "a fix that fails": (
        ("image_audit", "--all", "--fix", "--yes", "--policy", "f"),
        {
            "file": POLICY,
            "glance": {
                name: image(name, hw_disk_bus="ide") for name in ("a", "b")
            },
            "error": HTTP_403,
        },
        (1, [" fixed |", " failed: HTTP"]),
    ),
    "an image that no exemption can name": (
        ("image_audit", "--all", *BASELINE, "--write-exemptions", "list"),
        {
            "glance": {
                "b": {
                    "id": "b",
                    "name": "b",
                    "status": "active",
                    "hw_machine_type": "pc*",
                }
            }
        },
        (1, ["no image was exempted", "exemption can name"]),
    ),
    "a flavor that cannot be changed": (
        ("flavor_sync", *BASELINE, "--yes"),
        {"compute": Nova()},
        (1, ["gpu", "| failed: "]),
    ),
    "definitions that cannot be restored": (
        ("policy_metadefs", "--undo", "f"),
        {
            "file": json.dumps(
                {
                    "metadefs": 1,
                    "cloud": "http://g",
                    "policy": "x",
                    "properties": [DEFINITION],
                }
            ),
            "error": HTTP_403,
        },
        (1, ["failed: "]),
    ),
    "a host without an enrolment": (
        ("host_enroll", "compute1"),
        {"host": {"COMPUTE_NODE"}},
        (1, [f"not enrolled: compute1: {NO_RIGHTS}"]),
    ),
    "a host whose credentials stay": (
        ("host_withdraw", "compute1"),
        {},
        (1, ["not withdrawn: compute1: its credentials", NO_RIGHTS]),
    ),
    "a host that is not known any more": (
        ("host_fix", "--ansible", "book"),
        {"host": FAILED},
        (4, ["compute1: no fresh report"]),
    ),
    "a host that is": (
        ("host_fix", "--ansible", "book"),
        {
            "host": FAILED
            | {traits.of_hour(datetime.datetime.now(datetime.UTC))}
        },
        (0, ["2 tasks for 1 host"]),
    ),
    "a report of a part of the cloud": (
        ("report", "--html", "page", *BASELINE),
        {"error": HTTP_403, **NO_PLACEMENT},
        (1, [f"{each} could not be read: " for each in ("fleet", "images")]),
    ),
}


@pytest.mark.parametrize("case", PARTLY)
def test_what_was_not_done_is_named_and_is_in_the_exit_status(
    case, tmp_path, monkeypatch, capsys
):
    (name, *words), stubs, (ended, texts) = PARTLY[case]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f").write_text(stubs.get("file", ""))
    clients = cloud(**{key: stubs[key] for key in stubs if key != "file"})
    done = desk.typed(" ".join((*name.split("_"), *words)), capsys, **clients)
    assert done.status == ended, done
    output = " ".join(f"{done.out} {done.err}".split())
    assert [text for text in texts if text not in output] == []


def test_every_command_is_in_a_table():
    names = {case[0][0] for case in PARTLY.values()}
    names |= {case[0] for case in DENIALS}
    lines = [case.values[0]["run"] for case in test_cases.ALL]
    names |= {"_".join(line.split()[:2]) for line in lines}
    # These two only print data of the package.
    assert desk.COMMANDS.names - {f"vhard_{name}" for name in names} == {
        *("vhard", "vhard_policy_schema"),
    }
