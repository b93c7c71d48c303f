# SPDX-License-Identifier: Apache-2.0
"""Nova and Glance on the files of a host, with the gates and without again.

A gate without a policy answers 503, so that the order of what the role takes
away matters.
"""

import pytest
from oslo_config import cfg

from nova_vhard import conf
from tests.deploy.test_ansible import Hosts
from tests.functional.glance import conftest, service
from tests.functional.glance.wire import User
from tests.functional.nova import base, helpers

SERVERS = "/v2.1/servers"
KEYSTONE = "keystonemiddleware.auth_token:filter_factory"
#: The images and the database; an application without a gate to ask as a user.
directory, plain_app, plain = (
    conftest.directory,
    conftest.plain_app,
    conftest.plain,
)


def ways(hosts, answer):
    """Return what is answered in audit, without a policy, and afterwards."""
    hosts.play("gates")
    policy = hosts.etc / "nova-vhard" / "policy.yaml"
    statuses = [answer()]
    policy.unlink()
    for path in (hosts.folder / "state").rglob("*"):
        path.unlink()
    statuses.append(answer())
    hosts.play("gates", vhard_state="absent")
    return [*statuses, answer()]


class TestNova(base.FakeDriverCase):
    @pytest.fixture(autouse=True)
    def _hosts(self, tmp_path):
        self.hosts = Hosts(tmp_path)

    def test_servers_are_created_when_all_is_gone(self):
        state = self.hosts.folder / "state"
        state.mkdir()
        policy = self.hosts.etc / "nova-vhard" / "policy.yaml"
        self.flags(
            policy_file=str(policy), state_path=str(state), group="vhard"
        )
        image = self.image(**helpers.CLEAN)
        paste = self.hosts.etc / "nova" / "api-paste.ini"

        def answer():
            app = self.load_app(paste)
            body = self.wish(image)
            return self.call("POST", SERVERS, body, app=app).status_int

        self.assertEqual([202, 503, 202], ways(self.hosts, answer))
        self.assertNotIn("vhard", paste.read_text())


def test_images_are_created_when_all_is_gone(tmp_path, plain: User):
    hosts = Hosts(tmp_path)
    (tmp_path / "state").mkdir()
    conf.register(cfg.CONF)
    options = {
        "policy_file": hosts.etc / "nova-vhard" / "policy.yaml",
        "state_path": tmp_path / "state",
    }
    for name, value in options.items():
        cfg.CONF.set_override(name, str(value), "vhard")
    paste = hosts.etc / "glance" / "glance-api-paste.ini"
    loaded = tmp_path / "loaded.ini"

    def answer():
        text = paste.read_text()
        assert KEYSTONE in text
        loaded.write_text(text.replace(KEYSTONE, service.IDENTITY))
        return plain.of(service.load(loaded)).create().status_int

    assert ways(hosts, answer) == [201, 503, 201]
    assert "vhard" not in paste.read_text()
    for name in options:
        cfg.CONF.clear_override(name, "vhard")
