# SPDX-License-Identifier: Apache-2.0
"""How a step of the story is written down, and what all steps demand."""

import re
from dataclasses import dataclass

from common import clients

#: Gates as decision events name them, as the table names them.
GATES = {
    "glance-api": "Glance API",
    "nova-api": "Nova API",
    "scheduler": "scheduler",
}


class NotAsTold(Exception):
    """Something went otherwise than the step tells."""


@dataclass(frozen=True)
class Step:
    """One step: what is tried, and the function that tries it."""

    title: str
    play: object


@dataclass(frozen=True)
class Told:
    """What a step came to.

    :ivar gate: the gate that answered, for the table
    :ivar said: the answer as the user sees it
    """

    gate: str
    said: str


@dataclass(frozen=True)
class Outcome:
    """A played step, for the table."""

    title: str
    gate: str
    said: str
    as_told: bool


def step(title):
    """Make a step of a function, for the list in demo.story.

    The function takes the Stage, returns what it came to as Told, and
    raises NotAsTold when that is not what was to come.

    :param title: what is tried, for the table
    """
    return lambda play: Step(title, play)


def expect(said, *words):
    """Demand that a text has words in it."""
    missing = [word for word in words if word not in said]
    if missing:
        raise NotAsTold(f"{', '.join(missing)} not in: {said}")


def refusal(call, *arguments, **more):
    """Call a client's library, and give the refusal that it raises.

    :raises NotAsTold: when nothing refuses
    """
    try:
        came = call(*arguments, **more)
    except clients.REFUSALS as error:
        return one_line(error)
    name = getattr(came, "status", None) or came
    raise NotAsTold(f"not refused: the service answered {name}")


def failed_command(answer):
    """Give what a command printed when it was refused.

    :raises NotAsTold: when it was not
    """
    if answer.success:
        raise NotAsTold("not refused: the command was successful")
    return one_line(answer.text)


def one_line(text):
    """Put a text on one line."""
    return re.sub(r"\s+", " ", str(text)).strip()


def fault(server):
    """Give the reason for which a server could not be made.

    :raises NotAsTold: when it was made
    """
    if server.status != "ERROR":
        raise NotAsTold(
            f"not refused: server {server.name} is {server.status}"
        )
    return one_line(server.fault["message"])


def active(server):
    """Demand that a server is ACTIVE.

    :returns: a sentence about it
    """
    return shown(server, "ACTIVE")


def shown(server, status):
    """Demand that a server has a status.

    :returns: a sentence about it
    """
    if server.status != status:
        why = (server.fault or {}).get("message", "no fault")
        raise NotAsTold(f"server {server.name} is {server.status}: {why}")
    return f"server {server.name} is {status}"
