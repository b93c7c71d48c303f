# SPDX-License-Identifier: Apache-2.0
"""Play the story on a cloud, and print a table with a row for each step."""

import contextlib
import shutil
import sys

import prettytable

from story import devices, guests, stage, walk
from story.telling import steps

#: What the gates refuse and let pass.
GATES = steps(guests)
#: What shows the most on guests that are real, behind what it starts from.
GUESTS = [
    guests.before_the_policy,
    guests.clean_upload,
    guests.clean_boot,
    guests.old_boot,
    guests.fixed_boot,
    guests.exempted_boot,
    guests.rescue,
]
#: What needs libvirt as its stand-in is, volumes, and reporters that run when
#: they are asked to.
DEVICES = steps(devices)
#: The way from installed to enforcing, and back.
WALK = steps(walk)

_GREEN, _RED, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"
_HEAD = ("", "what was tried", "gate", "the explanation as the user sees it")
_MARK, _GATE, _FURNITURE = 5, 15, 13


def play(cloud, story):
    """Play steps of the story; return whether all passed."""
    with contextlib.ExitStack() as after:
        if not cloud.facts.small:
            cloud.start("plain-nova-api")
            after.callback(cloud.stop, "plain-nova-api")
        return _play(stage.Stage(cloud), story)


def _play(playing, story):
    gates = playing.facts.gates
    outcomes = []
    _print(*[""] * 4, header=True)
    for number, step in enumerate(story, 1):
        outcomes.append(playing.play(step))
        _row(number, step.title, outcomes[-1], gates)
    print(playing.fleet)
    for number, outcome in enumerate(outcomes, 1):
        if not outcome.as_told and (gates or not outcome.missing):
            print(_paint(f"  {number:2d}: {outcome.text}", False))
    if missing := sum(outcome.missing for outcome in outcomes):
        why = "" if gates else ", as expected without gates"
        print(_paint(f"{missing} refusals are missing{why}", not gates))
    good = sum(outcome.as_told for outcome in outcomes)
    whole = good == len(outcomes)
    print(_paint(f"{good} of {len(outcomes)} steps passed", whole), flush=True)
    return whole


def _row(number, title, outcome, gates):
    """Print a played step."""
    mark, text = "ok", outcome.text
    if outcome.missing and not gates:
        answer = text.removeprefix("not refused: ")
        mark, text = "--", f"AS EXPECTED WITHOUT GATES: {answer}"
    elif not outcome.as_told:
        mark, text = "!!", f"NOT AS TOLD: {text}"
    mark = _paint(f"{number:2d} {mark}", outcome.as_told)
    _print(mark, title, outcome.gate or "-", text)


def _print(*cells, header=False):
    """Print a row of a table that is as wide as the terminal."""
    width = min(max(shutil.get_terminal_size((110, 24)).columns, 76), 160)
    room = width - _MARK - _GATE - _FURNITURE
    widths = (_MARK, room * 2 // 5, _GATE, room - room * 2 // 5)
    table = prettytable.PrettyTable(_HEAD, header=header, align="l")
    table.min_width = table.max_width = dict(zip(_HEAD, widths, strict=True))
    table.add_row(cells)
    lines = table.get_string().splitlines()
    # The line below a row is the line above the next one.
    print(*lines[: 2 if header else -1], sep="\n", flush=True)


def _paint(text, good):
    if not sys.stdout.isatty():
        return text
    return f"{_GREEN if good else _RED}{text}{_PLAIN}"
