# SPDX-License-Identifier: Apache-2.0
"""Sessions of operators with the real Glance, from the files in sessions/.

test_fixes.py and test_clients.py run ``openstack`` itself.
"""

import functools
import itertools
import json
import pathlib
import shlex
import shutil
import stat
import sys
import uuid
from dataclasses import replace
from types import SimpleNamespace

import pytest
import webob
import webob.dec
import yaml
from glanceclient.v2.client import Client
from keystoneauth1.identity import Password
from keystoneauth1.session import Session as Login

from nova_vhard.osc import policies
from nova_vhard.osc.policy.definitions import MARK
from tests.functional import sessions
from tests.functional.glance import identity
from tests.functional.glance.keystone import LOGIN
from tests.functional.glance.wire import Wire, add
from tests.unit.cli import desk

FOLDER = pathlib.Path(__file__).with_name("sessions")
POLICY = """
version: "1"
extends: baseline
guest_devices:
  disk_bus: {allow: [virtio, scsi], replace: {ide: virtio}}
"""
#: Some of the definitions that Glance ships: for libvirt, for another
#: hypervisor, and others.
DEFINITIONS = (
    *("compute-libvirt", "compute-libvirt-image", "compute-vtpm-hw"),
    *("compute-randomgen", "compute-vmware", "glance-common-image-props"),
    *("cim-storage-allocation-setting-data", "operating-system"),
)
NAMESPACES = "/v2/metadefs/namespaces"
ADMIN = "admin,member,reader"
#: Fields of an image that also change without a command.
VARIED = ("updated_at", "stores")


@pytest.fixture(scope="module")
def loaded(directory):
    """Load definitions into Glance; return a function that does it again."""
    from glance.db.sqlalchemy import api, metadata

    folder = directory / "metadefs"
    folder.mkdir()
    for name in DEFINITIONS:
        source = f"{sys.prefix}/etc/glance/metadefs/{name}.json"
        shutil.copy(source, folder)
    # What glance-manage db_load_metadefs calls.
    load = functools.partial(
        metadata.db_load_metadefs, api.get_engine(), str(folder)
    )
    load()
    return load


class Shop(sessions.Session):
    """Images of a project, and commands in a folder with a policy."""

    varying = {r"\b[0-9a-f]{16}\b": "<digest>"}

    def __init__(self, gated, plain, put, capsys, request):
        super().__init__(FOLDER=str(pathlib.Path().resolve()))
        self.plain, self.put, self.capsys = plain, put, capsys
        self.request = request
        self.uuids["project"] = gated.project
        self.asked, self.made, self.first = [], {}, {}

    def command(self, _, *words):
        """Run a command of ``openstack vhard``."""
        login = Login(auth=Password(**LOGIN))
        vhard = SimpleNamespace(images=Client(session=login).images)
        done = desk.typed(shlex.join(words), self.capsys, vhard=vhard)
        end = f"= {done.status}" if done.status else ""
        return "\n".join((done.out, done.err, end))

    def image(self, name, *properties):
        """Create an image; listings have images in this order."""
        number = len(self.made) << 96 | uuid.uuid4().int >> 32
        pairs = (each.split("=") for each in properties)
        values = {key: yaml.safe_load(value) for key, value in pairs}
        fixed = {"id": str(uuid.UUID(int=number)), "name": name}
        made = self.plain.create(**fixed, **values).json
        self.uuids[name], self.made[name] = made["id"], made

    def upload(self, name):
        """Upload the data of an image, which does not count as a change."""
        self.plain.upload(self.uuids[name])
        self.made[name] = self.plain.image(self.uuids[name])

    def change(self, name, key, value):
        """Set a property of an image, as another user does."""
        self.plain.update(self.uuids[name], add(f"/{key}", value))

    def changes(self, name):
        """Print the fields that have changed since the image was created."""
        now, before = self.plain.image(self.uuids[name]), self.made[name]
        return "\n".join(
            f"{key}: {now.get(key)}"
            for key in sorted(now.keys() | before.keys())
            if key not in VARIED and now.get(key) != before.get(key)
        )

    def ungated(self):
        """Let commands reach a Glance without the gate."""
        self.put(self.plain.app)

    def pages(self, *answers):
        """Let commands reach a Glance that answers listings in turn."""
        following = itertools.cycle(json.loads(each) for each in answers)

        @webob.dec.wsgify
        def app(request):
            assert request.path_info == "/v2/images"
            self.asked.append(request.query_string)
            return webob.Response(json_body=next(following), charset="UTF-8")

        self.put(app)

    def requests(self):
        """Print the queries of these listings."""
        return "\n".join(self.asked)

    def file(self, name, text):
        pathlib.Path(name).write_text(text, "latin-1")

    def files(self):
        return "\n".join(sorted(map(str, pathlib.Path().iterdir())))

    def exempted(self, name):
        """Print a list of exemptions; let the policy extend it."""
        self.file("audit.yaml", POLICY.replace("baseline", name))
        entries = yaml.safe_load(pathlib.Path(name).read_text())["exemptions"]
        return "\n".join(
            f"{each['projects']} {sorted(each['images'])} {each['rules']}"
            for each in entries
        )

    def mode(self, name):
        return f"{stat.S_IMODE(pathlib.Path(name).stat().st_mode):o}"

    def admin(self):
        """Make the user of the commands an administrator."""
        patch = self.request.getfixturevalue("monkeypatch")
        token = functools.partial(identity.token, roles=ADMIN)
        patch.setattr(identity, "token", token)

    def definitions(self):
        """Print the definitions that have changed since the first call."""
        self.request.getfixturevalue("loaded")
        listed = self._get(f"{NAMESPACES}?limit=100")["namespaces"]
        now = {
            # Glance adds the name to definitions that have been written.
            f"{each['namespace']} {name}": {**definition, "name": name}
            for each in listed
            for name, definition in self._get(
                f"{NAMESPACES}/{each['namespace']}/properties"
            )["properties"].items()
        }
        self.first = self.first or now
        return "\n".join(
            f"{place}: {definition['enum']}, "
            f"{''.join(definition['description'].partition(MARK)[1:])}"
            for place, definition in sorted(now.items())
            if definition != self.first[place]
        )

    def _get(self, path):
        return self.plain.send(Wire("GET", path)).json

    def redefine(self, namespace, name, text):
        """Change the description of a property, as an administrator."""
        path = f"{NAMESPACES}/{namespace}/properties/{name}"
        body = json.dumps({**self._get(path), "description": text}).encode()
        replace(self.plain, roles=ADMIN).send(Wire("PUT", path, body))

    def upgrade(self):
        """Let an upgrade load Glance's own definitions again."""
        # MERGE and PREFER_NEW
        self.request.getfixturevalue("loaded")(True, True)


@pytest.fixture
def shop(cloud, gated, plain, put, capsys, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(policies.ENVIRONMENT, "audit.yaml")
    (tmp_path / "audit.yaml").write_text(POLICY)
    return Shop(gated, plain, put, capsys, request)


@sessions.each(FOLDER)
def test_a_session(shop, path, title):
    shop.check(path, title)
