# SPDX-License-Identifier: Apache-2.0
"""Nova and Glance on what each deployer writes, with the gates and without.

A gate without a policy answers 503, so that a line of ours that remains after
the removal stops the service.
"""

import re

import pytest
from oslo_config import cfg

from nova_vhard.common import paste_file
from nova_vhard.conf import vhard as conf
from nova_vhard.gates import enforcer
from nova_vhard.status import files
from tests.deploy import (
    test_ansible,
    test_helm,
    test_kolla,
    test_openstack_ansible,
)
from tests.deploy.places import PASTE
from tests.functional.glance import conftest, service
from tests.functional.glance.wire import User
from tests.functional.nova import base, helpers
from tests.unit.cli import nodes

# It registers options of the command line, before a test of Nova parses one.
pytest.importorskip("glance.common.wsgi_app")
pytestmark = [pytest.mark.services, pytest.mark.refused_policy]

SERVERS = "/v2.1/servers"
KEYSTONE = "keystonemiddleware.auth_token:filter_factory"
#: The images and the database; an application without a gate to ask as a user.
directory, plain_app, plain = (
    conftest.directory,
    conftest.plain_app,
    conftest.plain,
)
POLICY = 'version: "1"\nextends: baseline\nmode: audit\n'
TENANTS = ["AggregateMultiTenancyIsolation", "ComputeFilter"]
#: Of the operator.
OWN = {
    "nova": f"[filter_scheduler]\nenabled_filters = {','.join(TENANTS)}\n",
    "glance": "[image_import_opts]\nimage_import_plugins = [A]\n",
}
NAMES = {"nova": "nova.conf", "glance": "glance-api.conf"}

# Each yields a service's paste file and configuration, first with ours, then
# after the steps that its page has for the removal.


def plain_hosts(folder, name):
    hosts = test_ansible.Hosts(folder)
    here = hosts.etc / name
    (here / NAMES[name]).write_text(OWN[name])
    for state in ("present", "absent"):
        hosts.play("gates", vhard_state=state)
        texts = [path.read_text() for path in sorted(here.rglob("*.conf"))]
        yield (here / PASTE[name].name).read_text(), "".join(texts)


def kolla(folder, name):
    cloud = test_kolla.Cloud(folder)
    cloud.write(f"config/{name}.conf", OWN[name])
    # As the image is built; afterwards it is the image of before.
    yield nodes.gated(name), cloud.merged(name)
    cloud.remove()
    yield nodes.shipped(name), cloud.merged(name)


def openstack_ansible(folder, name):
    cloud = test_openstack_ansible.Cloud(folder)

    def merged(paste):
        variable = test_openstack_ansible.PASTE_VARIABLES[name]
        text = (
            cloud.nova(TENANTS)
            if name == "nova"
            else cloud.merged("", "glance_glance_api_conf_overrides")
        )
        return cloud.merged(paste, variable), text

    ours = merged(nodes.shipped(name))
    yield ours
    cloud.remove()
    yield merged(paste_file.remove(ours[0], paste_file.SERVICES[name]))


def helm(folder, name):
    for kept in ("kept", "kept/without"):
        yield [
            (test_helm.HELM / kept / file).read_text()
            for file in test_helm.FILES[name]
        ]


def ways(way, folder, name, policy, ask):
    """Return the status in audit, without a policy, and after the removal."""
    (folder / "state").mkdir(exist_ok=True)
    policy.write_text(POLICY)
    ours, left = way(folder, name)
    statuses = [ask(*ours)]
    policy.unlink()
    for path in (folder / "state").rglob("*"):
        path.unlink()
    # A service that starts again has read nothing yet.
    enforcer._policy_file.cache_clear()
    # A scheduler that has our filter does not start then.
    statuses += [ask(ours[0]), ask(*left)]
    assert not re.search("(?i)v(irt)?hard", "".join(left))
    return statuses


class TestNova(base.FakeDriverCase):
    API_GATE = FILTER = None

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def check(self, way):
        """A server becomes active with ours, and when all is gone."""
        image = self.image(**helpers.CLEAN)
        state = str(self.folder / "state")
        policy = self.folder / "policy.yaml"
        self.flags(policy_file=str(policy), state_path=state, group="vhard")
        (self.folder / "api_audit_map.conf").write_text("[DEFAULT]\n")
        paste, text = self.folder / "paste.ini", self.folder / "asked.conf"

        def ask(pipelines, options=""):
            paste.write_text(
                pipelines.replace("/etc/nova/", f"{self.folder}/")
            )
            if options:
                text.write_text(options)
                lists = files.nova([str(text)]).filter_scheduler
                self.flags(
                    available_filters=lists.available_filters,
                    enabled_filters=lists.enabled_filters,
                    group="filter_scheduler",
                )
                manager = self.scheduler.manager
                manager.host_manager = type(manager.host_manager)()
            body, app = self.wish(image), self.load_app(paste)
            response = self.call("POST", SERVERS, body, app=app)
            if response.status_int == 202:
                self.wait(response.json["server"]["id"], "ACTIVE")
            return response.status_int

        statuses = ways(way, self.folder, "nova", policy, ask)
        self.assertEqual([202, 503, 202], statuses)

    def test_plain_hosts(self):
        self.check(plain_hosts)

    def test_kolla(self):
        self.check(kolla)

    def test_openstack_ansible(self):
        self.check(openstack_ansible)

    def test_helm(self):
        self.check(helm)


@pytest.mark.parametrize(
    "way",
    [plain_hosts, kolla, openstack_ansible, helm],
    ids=lambda way: way.__name__,
)
def test_glance(way, tmp_path, plain: User):
    conf.register(cfg.CONF)
    policy = tmp_path / "policy.yaml"
    options = {"policy_file": policy, "state_path": tmp_path / "state"}
    for name, value in options.items():
        cfg.CONF.set_override(name, str(value), "vhard")
    loaded = tmp_path / "loaded.ini"

    def ask(paste, _=""):
        assert KEYSTONE in paste
        loaded.write_text(paste.replace(KEYSTONE, service.IDENTITY))
        return plain.of(service.load(loaded)).create().status_int

    assert ways(way, tmp_path, "glance", policy, ask) == [201, 503, 201]
    for name in options:
        cfg.CONF.clear_override(name, "vhard")
