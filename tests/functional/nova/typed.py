# SPDX-License-Identifier: Apache-2.0
"""The commands of explanations, on Nova's own API and fixtures.

Exactly those that a text can have; another one fails. Images and volumes are
Nova's in-memory Glance and Cinder, with the rules of the real ones: nobody
else changes an image (tests/functional/glance has the command itself).
"""

import argparse
import copy
import uuid
from typing import Any

from nova import context, objects
from nova.compute import power_state, vm_states
from nova.tests.fixtures import PROJECT_ID

from tests import following


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
        program, what, verb, *rest = words
        assert program == "openstack", words
        method = getattr(self, f"_{what}_{verb}", None)
        assert method is not None, f"no such command: {words}"
        method(rest)

    def _own(self, image_id: str) -> dict[str, Any]:
        image = self._case.glance.images[image_id]
        assert image["owner"] == PROJECT_ID, "403: it is another project's"
        properties: dict[str, Any] = image["properties"]
        return properties

    def _image_set(self, words: list[str]) -> None:
        given = _parsed(words, "--property")
        self._own(given.target).update(_pairs(given.property))

    def _image_unset(self, words: list[str]) -> None:
        given = _parsed(words, "--property")
        properties = self._own(given.target)
        for name in given.property:
            del properties[name]

    def _image_save(self, words: list[str]) -> None:
        option, file, image_id = words
        assert option == "--file"
        assert image_id in self._case.glance.images
        self._saved[file] = image_id

    def _image_create(self, words: list[str]) -> None:
        given = _parsed(
            words,
            *("--file", "--disk-format", "--container-format", "--property"),
        )
        (file,) = given.file
        original = self._case.glance.images[self._saved[file]]
        assert given.disk_format == [original["disk_format"]]
        assert given.container_format in ([], ["bare"])
        image = self._case.owned(**_pairs(given.property))
        self.made[given.target] = image

    def _volume_set(self, words: list[str]) -> None:
        given = _parsed(words, "--image-property")
        self._metadata(given.target).update(_pairs(given.image_property))

    def _volume_unset(self, words: list[str]) -> None:
        given = _parsed(words, "--image-property")
        for name in given.image_property:
            del self._metadata(given.target)[name]

    def _metadata(self, volume: str) -> dict[str, Any]:
        return self._case.cinder.volumes[volume]["volume_image_metadata"]

    def _port_create(self, words: list[str]) -> None:
        given = _parsed(words, "--network", "--vnic-type")
        assert given.network == ["NETWORK"]
        (kind,) = given.vnic_type
        self.made[given.target] = self.port(kind)

    def port(self, vnic_type: str) -> str:
        """Make a port in Neutron; return its id."""
        port = copy.deepcopy(self._case.neutron.port_1)
        port |= {"id": str(uuid.uuid4()), "binding:vnic_type": vnic_type}
        self._case.neutron._ports[port["id"]] = port
        return str(port["id"])

    def _server_stop(self, words: list[str]) -> None:
        (server,) = words
        response = self._case.act(server, {"os-stop": None})
        assert response.status_int == 202, response.text
        # what its compute would do
        rest(server, vm_states.STOPPED, power_state.SHUTDOWN)

    def _server_rescue(self, words: list[str]) -> None:
        option, image, server = words
        assert (option, image) == ("--image", "IMAGE")
        body = {"rescue": {"rescue_image_ref": self._image}}
        self._case.admitted(self._case.act(server, body))


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


def _parsed(words: list[str], *options: str) -> argparse.Namespace:
    """Return lists of the values of options, and the last word."""
    parser = argparse.ArgumentParser()
    for option in options:
        parser.add_argument(option, action="append", default=[])
    parser.add_argument("target")
    return parser.parse_args(words)


def _pairs(options: list[str]) -> dict[str, str]:
    return dict(each.split("=", 1) for each in options)


def commands(case: Any, text: str, image: str | None = None) -> Shell:
    """Run all commands of an explanation, which has nothing else to do."""
    shell = Shell(case, image)
    for step in following.steps(text):
        assert step.kind in ("run", "server", "copy"), step
        for words in step.commands:
            shell.run(words)
    return shell
