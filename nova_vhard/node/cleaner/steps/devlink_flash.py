# SPDX-License-Identifier: Apache-2.0
"""A network card runs the firmware that the rules name, or gets it."""

from collections.abc import Mapping
from typing import Any

from nova_vhard.common import trusted
from nova_vhard.common.text import clean
from nova_vhard.host.root import Unreadable, unreadable
from nova_vhard.node.cleaner import borrowed
from nova_vhard.node.cleaner.answers import Tool
from nova_vhard.node.cleaner.program import path_schema
from nova_vhard.node.cleaner.step import Job, Outcome, Step

_DEVLINK = "/usr/sbin/devlink"
_FIRMWARE = "/lib/firmware"
_RUNNING, _STORED = "running", "stored"

Versions = Mapping[str, Mapping[str, str]]


class DevlinkFlash(Step):
    """Write a known firmware where another one is stored or runs.

    =================================  ===================================
    all versions are the wanted ones   clean; written only if ``always``
    after writing and activating it    clean
    they are
    one of them is not, or not told    not clean
    the card refuses any of it         not clean
    =================================  ===================================

    Source: Documentation/networking/devlink/devlink-{info,flash,reload}.rst
    in the kernel.
    """

    name = "devlink_flash"
    priority = 60
    schema = {
        "type": "object",
        "required": ["driver", "file", "versions"],
        "properties": {
            "driver": {
                "type": "string",
                "pattern": "^[a-zA-Z0-9_-]{1,64}$",
                "title": "the name of a driver of the kernel",
            },
            "file": {
                "type": "string",
                "pattern": r"^(?!.*\.\.)[a-zA-Z0-9_.+-][a-zA-Z0-9_.+/-]*$",
                "title": f"a path relative to {_FIRMWARE}",
            },
            "versions": {
                "type": "object",
                "additionalProperties": {"type": "string", "minLength": 1},
                "minProperties": 1,
            },
            "always": {"type": "boolean"},
            "program": path_schema("devlink"),
        },
        "additionalProperties": False,
    }

    def run(self, job: Job) -> Outcome:
        """Bind the driver, compare, write, and leave the card as it was."""
        program = str(job.settings.get("program", _DEVLINK))
        tool = Tool(program, job.time_limit)
        with borrowed.bound(job, str(job.settings["driver"])):
            card = Card(tool, f"pci/{job.device.address}")
            return update(card, job.settings)


class Card:
    """A card, asked and told through devlink.

    :param tool: devlink
    :param handle: its name there, such as ``pci/0000:3b:00.0``
    """

    def __init__(self, tool: Tool, handle: str) -> None:
        self._tool, self._handle = tool, handle

    def versions(self) -> Versions:
        """Return ``running`` and ``stored``: component to version.

        :raises Unreadable: if the card does not tell
        """
        answer = self._tool.ask("-j", "dev", "info", self._handle)
        try:
            versions = answer["info"][self._handle]["versions"]
            return {
                place: {
                    str(name): str(version)
                    for name, version in versions.get(place, {}).items()
                }
                for place in (_RUNNING, _STORED)
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise unreadable(self._handle, "tells no versions") from error

    def flash(self, file: str) -> None:
        """Write a file below /lib/firmware.

        :raises Unreadable: if others can change it, or it is refused
        """
        try:
            trusted.check(f"{_FIRMWARE}/{file}")
        except trusted.Untrusted as error:
            raise unreadable(file, f"was not written: {error}") from error
        self._tool.order("dev", "flash", self._handle, "file", file)

    def activate(self) -> None:
        """Have the card run what is stored.

        :raises Unreadable: if it cannot do that
        """
        words = ("dev", "reload", self._handle, "action", "fw_activate")
        self._tool.order(*words)


def update(card: Card, settings: Mapping[str, Any]) -> Outcome:
    """Write the firmware where that is needed; judge what runs then.

    :raises Unreadable: if the card does not tell, or refuses to be written
    """
    wanted: Mapping[str, str] = settings["versions"]
    versions = card.versions()
    evidence = [_shown("before", versions)]
    if differences(versions, wanted) or settings.get("always"):
        card.flash(str(settings["file"]))
        evidence.append(f"written: {clean(settings['file'])}")
        versions = card.versions()
        if differences(versions, wanted):
            try:
                card.activate()
            except Unreadable as error:
                evidence.append(f"not activated: {error}")
            versions = card.versions()
        evidence.append(_shown("after", versions))
    wrong = "; ".join(differences(versions, wanted))
    stated = "its firmware is the wanted one"
    return Outcome(not wrong, wrong or stated, tuple(evidence))


def differences(versions: Versions, wanted: Mapping[str, str]) -> list[str]:
    """Return what is not as it is wanted.

    What is stored, and will run after the next reset, counts as what runs;
    a card may tell of a component only that it runs.
    """
    result = []
    for name, version in wanted.items():
        for place in (_RUNNING, _STORED):
            default = version if place == _STORED else "not told"
            current = versions[place].get(name, default)
            if current != version:
                text = f"{clean(name)} {place} is {clean(current)}"
                result.append(f"{text}, not {clean(version)}")
    return result


def _shown(when: str, versions: Versions) -> str:
    """Return the versions in a line."""
    parts = [
        f"{place} {clean(name)} {clean(version)}"
        for place, names in versions.items()
        for name, version in list(names.items())[:16]
    ]
    return f"{when}: {', '.join(parts) or 'nothing'}"
