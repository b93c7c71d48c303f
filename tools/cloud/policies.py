# SPDX-License-Identifier: Apache-2.0
"""The policy files of a cloud, and the images that are older than them."""

from nova_vhard.common import files

#: Every gate lets everything pass.
OFF = """\
version: "1"
enabled: false
extends: baseline
"""
#: ``fake`` is what Nova's fake driver says of its hypervisor.
BASELINE = """\
version: "1"
extends: baseline
applies_to: {hypervisor_type: [QEMU, KVM, fake]}
"""

#: Name to properties: one as it ought to be, one older than the policy.
IMAGES = {
    "clean": {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"},
    "old-router": {"hw_disk_bus": "ide", "hw_vif_model": "e1000"},
}


def write(path, text):
    """Replace a policy file, so that no reader ever sees half of it."""
    files.replace(str(path), text, 0o644)
