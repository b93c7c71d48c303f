# SPDX-License-Identifier: Apache-2.0
"""The commands of explanations, on Nova's own API and fixtures.

Exactly those that a text can have; another one fails. Images and volumes are
Nova's in-memory Glance and Cinder, with the rules of the real ones: nobody
else changes an image (tests/functional/glance has the command itself).
"""

import argparse
from typing import Any

from nova import context, objects
from nova.compute import power_state, vm_states
from nova.tests.fixtures import PROJECT_ID

from tests import following
from tests.functional.nova import base, service, verdicts

OTHERS = "0f4a5b6c7d8e4f90a1b2c3d4e5f60718"
CONTROLLER = {"hw_scsi_model": "virtio-scsi"}
#: Options of the commands, of which each value is kept.
PARSER = argparse.ArgumentParser()
for _name in (
    *("property", "image-property", "file", "disk-format", "image"),
    *("container-format", "network", "vnic-type"),
):
    PARSER.add_argument(f"--{_name}", action="append", default=[])
PARSER.add_argument("target")


class Shell:
    """Runs the commands as a member of the project.

    :param case: a test case on Nova's API
    :param image: what stands for ``IMAGE`` where a text leaves the choice
    :ivar made: images and ports that were created, by their names
    """

    def __init__(self, case: Any, image: str | None = None) -> None:
        self._case = case
        self._image = image
        self._saved: dict[str, str] = {}
        self.made: dict[str, str] = {}

    def run(self, words: list[str]) -> None:
        """Run a command; fail on one that is not known, or not allowed."""
        case = self._case
        program, what, verb, *options = words
        given = PARSER.parse_args(options)
        target = given.target
        pairs = [*given.property, *given.image_property]
        match program, what, verb:
            case "openstack", "image" | "volume", "set":
                own = self._properties(what, target)
                own.update(each.split("=", 1) for each in pairs)
            case "openstack", "image" | "volume", "unset":
                own = self._properties(what, target)
                for name in pairs:
                    del own[name]
            case "openstack", "image", "save":
                (file,) = given.file
                self._saved[file] = target
            case "openstack", "image", "create":
                (file,) = given.file
                original = case.glance.images[self._saved[file]]
                assert given.disk_format == [original["disk_format"]]
                assert given.container_format in ([], ["bare"])
                properties = dict(each.split("=", 1) for each in pairs)
                self.made[target] = case.owned(**properties)
            case "openstack", "port", "create":
                assert given.network == ["NETWORK"]
                self.made[target] = case.port(*given.vnic_type)
            case "openstack", "server", "stop":
                case.passes(case.act(target, {"os-stop": None}))
                # what its compute would do
                rest(target, vm_states.STOPPED, power_state.SHUTDOWN)
            case "openstack", "server", "rescue":
                assert given.image == ["IMAGE"]
                body = {"rescue": {"rescue_image_ref": self._image}}
                case.admitted(case.act(target, body))
            case _:
                raise AssertionError(f"no such command: {words}")

    def _properties(self, what: str, target: str) -> Any:
        """Return the properties of an image, or of those that a volume has."""
        if what == "volume":
            return self._case.cinder.volumes[target]["volume_image_metadata"]
        image = self._case.glance.images[target]
        assert image["owner"] == PROJECT_ID, "403: it is another project's"
        return image["properties"]


def rest(
    server: str,
    state: str = vm_states.ACTIVE,
    power: int = power_state.RUNNING,
    **metadata: str,
) -> None:
    """Let a server rest in a state, as its compute would once it is done.

    :param metadata: what Nova keeps with it from then on
    """
    admin = context.get_admin_context()
    mapping = objects.InstanceMapping.get_by_instance_uuid(admin, server)
    with context.target_cell(admin, mapping.cell_mapping) as cell:
        instance = objects.Instance.get_by_uuid(
            cell, server, expected_attrs=["system_metadata"]
        )
        instance.system_metadata.update(metadata)
        instance.vm_state = state
        instance.power_state = power
        instance.task_state = None
        instance.save()


def commands(case: Any, text: str, image: str | None = None) -> Shell:
    """Run all commands of an explanation, which has nothing else to do."""
    shell = Shell(case, image)
    for step in following.steps(text):
        assert step.kind in ("run", "server", "copy"), step
        for words in step.commands:
            shell.run(words)
    return shell


class Fixes(verdicts.VerdictCase):
    """A cloud under a shipped policy, in which what refusals say is done."""

    NAME = "baseline"

    def write_policy(self, text: str) -> None:
        header = service.HEADER.replace("baseline", self.NAME)
        service.write_policy(self.policy_file, text, header)

    def owned(self, owner: str = PROJECT_ID, **properties: str) -> str:
        """Put an image of a project into Glance; return its id."""
        image = self.image(**properties)
        self.glance.images[image]["owner"] = owner
        return image

    def explained(self, response: Any) -> str:
        """Return why the gate refuses."""
        self.assertEqual(403, response.status_int, response.text)
        return base.text(response)

    def passes(self, response: Any, text: str = "") -> None:
        """Check that the gates, and Nova, take a request."""
        answer = (response.status_int, response.text, text)
        self.assertIn(response.status_int, (200, 202), answer)

    def admitted(self, response: Any) -> None:
        """Check that the gates let through what needs a compute further on.

        For a server on a volume Nova's API asks for its host.
        """
        text = response.text
        self.assertNotIn(response.status_int, (400, 403, 404, 503), text)
