# SPDX-License-Identifier: Apache-2.0
"""A node's configuration files, as an operator who did it all has them."""

import json
import pathlib
import sys
from types import SimpleNamespace

from oslo_config import cfg

from nova_vhard.common import paste_file
from nova_vhard.conf import status as status_conf
from nova_vhard.policy import document, release
from nova_vhard.status.node import Node

ETC = pathlib.Path(sys.prefix) / "etc"
PASTE = {
    "nova": ETC / "nova" / "api-paste.ini",
    "glance": ETC / "glance" / "glance-api-paste.ini",
}
STOCK = (
    "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,"
    "ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter"
)
NOVA = f"""
[filter_scheduler]
available_filters = nova.scheduler.filters.all_filters
available_filters = nova_vhard.gates.scheduler.VirtHardeningFilter
enabled_filters = VirtHardeningFilter,{STOCK}
[service_user]
send_service_user_token = true
auth_type = password
"""
GLANCE = """
[paste_deploy]
flavor = keystone+cachemanagement
[image_import_opts]
image_import_plugins = [vhard]
"""
PLACEMENT = """
[keystone_authtoken]
service_type = placement
service_token_roles_required = true
"""
POLICY = "version: '1'\nextends: baseline\n"


def shipped(service):
    """Return the paste file that a service ships."""
    return PASTE[service].read_text(encoding="utf-8")


def gated(service):
    """Return the paste file that a service ships, with the gate."""
    return paste_file.add(shipped(service), paste_file.SERVICES[service])


class Etc:
    """The folder of a node's files, below a temporary one.

    :ivar folder: with nova/, glance/, policy.yaml and state/
    """

    def __init__(self, folder):
        self.folder = folder
        self.write("policy.yaml", POLICY)
        self.nova(NOVA)
        self.glance(GLANCE)
        self.write("nova/api-paste.ini", gated("nova"))
        self.write("glance/glance-api-paste.ini", gated("glance"))
        self.write("placement/placement.conf", PLACEMENT)

    def write(self, name, text):
        """Write a file; return its path."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o640)
        return path

    def nova(self, text):
        """Write nova.conf."""
        return self.write("nova/nova.conf", text + self._vhard())

    def glance(self, text):
        """Write glance-api.conf."""
        return self.write("glance/glance-api.conf", text + self._vhard())

    def _vhard(self):
        return (
            f"\n[vhard]\npolicy_file = {self.folder}/policy.yaml\n"
            f"state_path = {self.folder}/state\n"
        )

    def keep(self, service, text=POLICY, path=None):
        """Keep a last good copy, as a gate does."""
        data = document.Reading(str(self.write("kept.yaml", text))).data
        path = path or f"{self.folder}/policy.yaml"
        return self.write(
            f"state/policy-{service}.json",
            json.dumps({"path": path, "data": data}),
        )

    def runs(self, service, text=POLICY, **more):
        """Write what a service runs, as a gate does."""
        source = self.write("runs.yaml", text)
        runs = {
            "file": f"{self.folder}/policy.yaml",
            "release": str(release.INSTALLED),
            "policy": document.load(str(source)).digest,
            "refused": None,
            "since": "2026-06-15T12:03:00+00:00",
        }
        return self.write(
            f"state/policy-{service}.json.runs", json.dumps(runs | more)
        )

    @property
    def arguments(self):
        """Return the command-line options that name these files."""
        return [
            f"--nova-config-file={self.folder}/nova/nova.conf",
            f"--glance-config-file={self.folder}/glance/"
            "glance-image-import.conf",
            f"--glance-config-file={self.folder}/glance/glance-api.conf",
            f"--placement-config-file={self.folder}/placement/placement.conf",
            f"--reporter-config-file={self.folder}/reporter.conf",
        ]

    @property
    def node(self):
        """The node that reads them."""
        conf = cfg.ConfigOpts()
        status_conf.register(conf)
        conf(self.arguments, project="test", default_config_files=[])
        return Node(conf)


def compute(flavors=(), hypervisors=()):
    """Stand for openstacksdk's compute proxy."""
    return SimpleNamespace(
        flavors=lambda **more: iter(flavors),
        hypervisors=lambda **more: iter(hypervisors),
    )
