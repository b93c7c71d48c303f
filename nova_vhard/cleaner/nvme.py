# SPDX-License-Identifier: Apache-2.0
"""An NVMe controller, asked and told through nvme-cli.

Source: NVM Express Base Specification 2.0: Identify Controller (5.17.2.1:
OACS, CMIC, SANICAP, FNA), Format NVM (5.14), Sanitize (5.24) and its log
(5.16.1.18).
"""

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_vhard.cleaner import program
from nova_vhard.cleaner.step import Job
from nova_vhard.common.text import clean
from nova_vhard.host.root import Unreadable, unreadable

_CONTROLLER = re.compile(r"nvme\d+")
_NAMESPACE = re.compile(r"nvme\d+n\d+")
_STATUS = re.compile(r"\((\d)\)")

# Bits of OACS and CMIC, and states of a sanitize.
_FORMATS, _MANAGES = 1 << 1, 1 << 3
_SHARED = 1 << 1
_DONE, _RUNNING = ("1", "4"), "2"
_WHOLE = 1 << 16

#: Seconds between two looks at a sanitize, and while the kernel looks for
#: namespaces.
POLL = 1.0
_LOOKS = 20

# Seconds before a step's end by which a tool has to have ended, so that the
# step itself can say what it waited for.
_MARGIN = 2.0
# Bytes of JSON, and characters of an error that are kept.
_LIMIT, _WIDTH = 256 << 10, 200
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True)
class Method:
    """An erase method, and the controller field that says it is supported.

    :ivar field: of Identify Controller
    :ivar bit: in that field
    :ivar action: of Sanitize, or secure erase setting of Format NVM
    :ivar meaning: what it does
    :ivar trait: of os-traits that says the same of a device; empty for none
    """

    field: str
    bit: int
    action: int
    meaning: str
    trait: str = ""


#: Each way by the name that rules give it, the surest first.
METHODS: Mapping[str, Method] = {
    "sanitize_crypto": Method(
        "sanicap", 1, 4, "all media keys are changed", "HW_NVME_CES"
    ),
    "sanitize_block": Method(
        "sanicap", 2, 2, "all blocks are erased", "HW_NVME_BES"
    ),
    "sanitize_overwrite": Method(
        "sanicap", 4, 3, "all blocks are written: costs a drive write"
    ),
    "format_crypto": Method(
        "fna", 4, 2, "weaker: the keys of a namespace are changed"
    ),
    "format_user_data": Method(
        "oacs", 2, 1, "weaker: the blocks of a namespace are erased"
    ),
}


class Tool:
    """A program that nobody but root can change.

    :param path: of the program
    :param seconds: that all of its runs may take together
    :raises Unreadable: if others can change it, or it is not there
    """

    def __init__(self, path: str, seconds: float) -> None:
        """Look whether the program may be run."""
        self._name = path
        self._deadline = time.monotonic() + max(seconds - _MARGIN, 1.0)
        try:
            self._path = program.check(path)
        except program.Refused as error:
            raise unreadable(path, f"was not run: {error}") from error

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(self._deadline - time.monotonic(), 0.0)

    def order(self, *words: str) -> str:
        """Run a command of nvme-cli; return its output.

        :raises Unreadable: if it fails or does not end in time
        """
        try:
            ended = program.run(
                (self._path, *words), _ENVIRONMENT, self.left, _LIMIT
            )
        except program.Refused as error:
            raise unreadable(self._name, f"was not run: {error}") from error
        text = ended.output.decode("utf-8", "replace")
        if ended.status != 0:
            try:
                said = str(json.loads(text)["error"])
            except (ValueError, KeyError, TypeError, RecursionError):
                said = " ".join(text.split())
            raise self._failed(words, f"{ended.outcome}: {said}")
        return text

    def ask(self, *words: str) -> dict[str, Any]:
        """Run a command; return the JSON object in its output.

        :raises Unreadable: if it fails, or prints none
        """
        text = self.order(*words)
        try:
            result = json.loads(text[text.index("{") : text.rindex("}") + 1])
        except (ValueError, RecursionError) as error:
            raise self._failed(words, "prints no JSON object") from error
        return dict(result)

    def _failed(self, words: tuple[str, ...], reason: str) -> Unreadable:
        command = " ".join((self._name, *words))
        return unreadable(clean(command, _WIDTH), clean(reason, _WIDTH))


class Controller:
    """NVMe controller of a device, while its driver is bound.

    :param job: on that device
    :param tool: nvme-cli
    :raises Unreadable: if the device is not a controller, or does not answer
    """

    def __init__(self, job: Job, tool: Tool) -> None:
        self._job, self._tool = job, tool
        place = f"{job.device.path}/nvme"
        names = [x for x in job.root.names(place) if _CONTROLLER.fullmatch(x)]
        if len(names) != 1:
            raise unreadable(place, "does not name one controller")
        self._folder = f"{place}/{names[0]}"
        self._path = self._device(names[0])
        self.identity = tool.ask("id-ctrl", self._path, "--output-format=json")

    def _device(self, name: str) -> str:
        return os.path.join(self._job.root.root, "dev", name)

    def offers(self, name: str) -> bool:
        """Return whether the controller says that it has a way to erase."""
        method = METHODS[name]
        formats = self._capability("oacs") & _FORMATS
        able = bool(self._capability(method.field) & method.bit)
        return able and (method.field == "sanicap" or bool(formats))

    def _capability(self, field: str) -> int:
        return number(self.identity, field)

    @property
    def shared(self) -> bool:
        """Whether other controllers reach the same storage."""
        return bool(self._capability("cmic") & _SHARED)

    @property
    def shown(self) -> list[str]:
        """Who it is and what it says that it can, for the evidence."""
        words = {"mn": "model", "sn": "serial", "fr": "firmware"}
        who = (
            f"{word} {clean(str(self.identity.get(field)).strip())}"
            for field, word in words.items()
        )
        fields = ("oacs", "sanicap", "fna", "cmic")
        able = (f"{field} 0x{self._capability(field):x}" for field in fields)
        traits = [
            method.trait
            for name, method in METHODS.items()
            if method.trait and self.offers(name)
        ]
        return [", ".join(who), ", ".join((*able, *traits))]

    def wear(self) -> int:
        """Return how much of its life a drive has used, in percent."""
        answer = self._tool.ask(
            "smart-log", self._path, "--output-format=json"
        )
        return number(answer, "percent_used")

    def namespaces(self) -> dict[int, str]:
        """Return number to block device of every namespace that there is.

        :raises Unreadable: if one of them is out of the host's reach
        """
        manages = self._capability("oacs") & _MANAGES
        every = ("--all",) * bool(manages)
        answer = self._tool.ask(
            "list-ns", self._path, *every, "--output-format=json"
        )
        listed = {number(x, "nsid") for x in answer.get("nsid_list", ())}
        root = self._job.root
        if not listed:
            raise unreadable(self._path, "has no namespace")
        for _ in range(_LOOKS):
            blocks = {
                int(root.peek(f"{self._folder}/{name}/nsid")): name
                for name in root.names(self._folder)
                if _NAMESPACE.fullmatch(name)
            }
            if listed <= blocks.keys():
                return {
                    nsid: self._device(blocks[nsid]) for nsid in sorted(listed)
                }
            # The kernel looks for them in its own time.
            time.sleep(min(POLL, self._tool.left))
        missing = sorted(listed - blocks.keys())[:8]
        raise unreadable(
            self._path, f"no block device for namespaces {missing}"
        )

    def erase(self, name: str, namespaces: Mapping[int, str]) -> str:
        """Erase everything in one way.

        :returns: what was done, for the evidence
        :raises Unreadable: if it is refused, fails, or does not end in time
        """
        method = METHODS[name]
        if method.field == "sanicap":
            # Another one that still runs comes to its end first.
            if self._state()[0] == _RUNNING:
                self._wait()
            action = f"--sanact={method.action}"
            self._tool.order("sanitize", self._path, action)
            status, text = self._wait()
            if status not in _DONE:
                raise unreadable(
                    self._path, f"sanitize did not succeed: {text}"
                )
            return f"{name}: {method.meaning}"
        for nsid in namespaces:
            self._tool.order(
                "format",
                self._path,
                f"--namespace-id={nsid}",
                f"--ses={method.action}",
                f"--timeout={int(self._tool.left * 1000)}",
                "--force",
            )
        return f"{name}: {method.meaning}; {len(namespaces)} of them"

    def _wait(self) -> tuple[str, str]:
        """Return the state of a sanitize once it is over.

        :raises Unreadable: if it is not over in time
        """
        while True:
            status, text = self._state()
            if status != _RUNNING:
                return status, text
            if self._tool.left <= POLL:
                raise unreadable(self._path, f"sanitize does not end: {text}")
            time.sleep(POLL)

    def _state(self) -> tuple[str, str]:
        """Return the state in the sanitize log: its digit, and in words."""
        answer = self._tool.ask(
            "sanitize-log", self._path, "--output-format=json"
        )
        try:
            log = next(iter(answer.values()))
            text = str(log["sstat"]["status"])
            progress = number(log, "sprog") * 100 // _WHOLE
            digit = _STATUS.match(text)
        except (TypeError, KeyError, StopIteration) as error:
            raise unreadable(self._path, "no sanitize log") from error
        if digit is None:
            raise unreadable(self._path, f"sanitize log says {clean(text)}")
        return digit[1], f"{clean(text)} ({progress} %)"


def number(answer: Any, key: str) -> int:
    """Return a whole number that is not negative, out of an answer.

    :raises Unreadable: if there is none
    """
    value = answer.get(key) if isinstance(answer, dict) else None
    if type(value) is not int or value < 0:
        raise unreadable(key, f"no number: {clean(value)}")
    return value
