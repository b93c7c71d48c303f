# SPDX-License-Identifier: Apache-2.0
"""Play the story on a cloud, and print the table."""

import contextlib

from story import stage, table
from story.steps import (
    devices,
    doors,
    flavors,
    modes,
    reissue,
    servers,
    uploads,
    walk,
)
from story.telling import steps

#: What the gates refuse and let pass.
GATES = steps(uploads, servers, doors, modes)
#: What shows the most on guests that are real, behind what it starts from.
GUESTS = [
    uploads.before_the_policy,
    uploads.clean_upload,
    servers.clean_boot,
    servers.old_boot,
    servers.fixed_boot,
    servers.exempted_boot,
    doors.rescue,
]
#: What needs libvirt as its stand-in is, volumes, and reporters that run when
#: they are asked to.
DEVICES = steps(devices, flavors, reissue)
#: The way from installed to enforcing, and back.
WALK = steps(walk)


def play(cloud, story):
    """Play steps of the story; return whether all passed."""
    with contextlib.ExitStack() as after:
        if not cloud.facts.small:
            cloud.start("plain-nova-api")
            after.callback(cloud.stop, "plain-nova-api")
        return _play(stage.Stage(cloud), story)


def _play(playing, story):
    out = table.Table()
    outcomes = []
    gates = playing.facts.gates
    for number, step in enumerate(story, 1):
        outcomes.append(playing.play(step))
        out.row(number, step.title, outcomes[-1], gates)
    print(playing.notes.get("fleet", ""))
    for number, outcome in enumerate(outcomes, 1):
        if not outcome.as_told and (gates or not outcome.missing):
            print(table.paint(f"  {number:2d}: {outcome.text}", False))
    good = sum(outcome.as_told for outcome in outcomes)
    missing = sum(outcome.missing for outcome in outcomes)
    if missing:
        why = "" if gates else ", as expected without gates"
        text = f"{missing} refusals are missing{why}"
        print(table.paint(text, not gates))
    text = f"{good} of {len(outcomes)} steps passed"
    print(table.paint(text, good == len(outcomes)), flush=True)
    return good == len(outcomes)
