# SPDX-License-Identifier: Apache-2.0
"""Steps of a story: their notation, and their expectations."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from cloud import clients

#: Gates as decision events name them, as the table names them.
GATES = {
    "glance-api": "Glance API",
    "nova-api": "Nova API",
    "scheduler": "scheduler",
}


class NotAsTold(Exception):
    """Raised if the result differs from the step's description."""


@dataclass(frozen=True)
class Outcome:
    """Result of a step: the gate, and the answer that the user sees."""

    gate: str
    text: str
    as_told: bool = True

    @property
    def missing(self):
        """Whether a gate should have refused and did not."""
        return self.text.startswith("not refused")


@dataclass(frozen=True)
class Step:
    """A step: its title, and a function from a Stage to an Outcome."""

    title: str
    play: Callable


def step(title):
    return lambda play: Step(title, play)


def steps(module):
    """Return the steps of a module, in the order in which they are written."""
    return [each for each in vars(module).values() if isinstance(each, Step)]


def expect(text, *words):
    """Demand that a text has words in it."""
    missing = [word for word in words if word not in text]
    if missing:
        raise NotAsTold(f"the answer does not say {missing}: {text}")


def refusal(call, *arguments, **more):
    """Return the refusal of a client's library, on one line."""
    try:
        result = call(*arguments, **more)
    except clients.REFUSALS as error:
        return line(error)
    name = getattr(result, "status", None) or result
    raise NotAsTold(f"not refused: the service answered {name}")


def refused_command(client, *words):
    """Return what a command prints when it is refused, on one line."""
    answer = client.command(*words)
    if answer.success:
        raise NotAsTold("not refused: the command was successful")
    return line(answer.text)


def output(answer, what=""):
    """Return the output of a command that must have been successful.

    :param what: subject of the command, with a colon and a space
    """
    if not answer.success:
        raise NotAsTold(what + line(answer.text))
    return answer.text


def rows(client, *words, **more):
    """Return the rows of a command of ``openstack vhard``, as dicts."""
    text = output(client.command("vhard", *words, "-f", "json", **more))
    return json.JSONDecoder().raw_decode(text[text.index("[") :])[0]


def line(text):
    return " ".join(str(text).split())


def fault(server):
    """Return the reason for which a server could not be made."""
    if server.status != "ERROR":
        raise NotAsTold(
            f"not refused: server {server.name} is {server.status}"
        )
    return line(server.fault["message"])


def shown(server, status="ACTIVE"):
    """Demand that a server has a status; return a sentence about it."""
    text = f"server {server.name} is {server.status}"
    if server.status != status:
        why = (server.fault or {}).get("message", "no fault")
        raise NotAsTold(f"{text}: {why}")
    return text


def by_placement(server):
    """Demand that Placement alone has refused a server."""
    text = fault(server)
    # Placement gives no reasons. Whatever else there is would be one.
    if text != "No valid host was found.":
        raise NotAsTold(f"another refusal: {text}")
    return Outcome("Placement", text)
