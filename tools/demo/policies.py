# SPDX-License-Identifier: Apache-2.0
"""The policy files of the story, and how they get onto the disk."""

import datetime
import os

from demo import identity

OFF = """\
version: "1"
enabled: false
extends: baseline
"""

_ON = """\
version: "1"
extends: baseline
mode: {mode}
{rules}
exemptions:
  - id: heritage-router
    reason: the vendor's router image has no virtio driver
    projects: ["{project}"]
    rules:
      guest_devices.disk_bus: [ide]
      guest_devices.machine_type: [pc]
    until: {until}
"""

_E1000 = """\
guest_devices:
  vif_model: {allow: [virtio, e1000]}
"""
_GPUS = """\
passthrough:
  allow: {aliases: [gpu]}
"""
_CLEAN = """\
passthrough:
  allow: {aliases: [gpu, crypto]}
  require: [iommu, interrupt_remapping, one_time_use]
"""


def enforced():
    """Give baseline, with one project's exemption."""
    return _on("enforce")


def warned():
    """Give the same, but only warning."""
    return _on("warn")


def with_e1000():
    """Give the same as enforced, but with e1000 allowed."""
    return _on("enforce", _E1000)


def with_gpus():
    """Give the same as enforced, but with one kind of passthrough allowed."""
    return _on("enforce", _GPUS)


def with_clean_devices():
    """Give the same, with devices that are cleaned between two guests."""
    return _on("enforce", _CLEAN)


def write(path, text):
    """Replace a policy file, so that no reader ever sees half of it."""
    draft = path.with_suffix(".new")
    draft.write_text(text)
    os.replace(draft, path)


def _on(mode, rules=""):
    # No date in this file can be in the future for ever.
    until = datetime.date.today() + datetime.timedelta(days=90)
    return _ON.format(
        mode=mode,
        rules=rules,
        until=until,
        project=identity.BOB.project_id,
    )
