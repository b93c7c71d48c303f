# SPDX-License-Identifier: Apache-2.0
"""Start the cloud, play the story, print the table."""

import argparse
import pathlib
import sys
import threading
import time
import warnings

# Deprecations of other people's libraries are not this story's.
warnings.simplefilter("ignore")

from common import place  # noqa: E402
from demo import processes, startup, table  # noqa: E402

PLACE = place.Place(pathlib.Path(__file__).resolve().parents[2] / ".demo")


class Progress:
    """Tells what is being started, and how long it has taken so far."""

    def __init__(self):
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, service, what):
        """Print one line."""
        with self._lock:
            print(f"  {self.seconds():5.1f} s  {service}: {what}", flush=True)

    def seconds(self):
        """Give the seconds since the beginning."""
        return time.monotonic() - self._started


def main():
    """Run the demo.

    :returns: exit status: 0 when every step went as told, else 1
    """
    options = _arguments()
    progress = Progress()
    gates = not options.without_gates
    print(
        f"Starting Glance and Nova {'with' if gates else 'WITHOUT'} the "
        "gates of nova-vhard:"
    )
    try:
        with startup.running(PLACE.root, gates, progress) as one:
            good = _play(one)
    except place.InUse as error:
        print(f"{error}: wait until it has ended", file=sys.stderr)
        return 1
    except processes.Failed as error:
        print(f"\n{error}. Its logs:", file=sys.stderr)
        _show_logs(tail=15)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    print(f"{progress.seconds():.0f} seconds; logs in {PLACE.logs}")
    return 0 if good else 1


def _arguments():
    parser = argparse.ArgumentParser(
        prog="tools/demo.sh",
        description="Start real Nova, Glance and Placement on loopback and "
        "play through what the gates of nova-vhard refuse and let pass.",
    )
    parser.add_argument(
        "--without-gates",
        action="store_true",
        help="leave the gates out of the configuration: the same story, in "
        "which no gate refuses anything; the exit status is then 1",
    )
    return parser.parse_args()


def _play(running):
    # Imported while the services do the same.
    from demo import stage, story

    playing = stage.Stage(running)
    out = table.Table()
    print()
    out.head()
    outcomes = []
    for number, step in enumerate(story.STEPS, 1):
        outcomes.append(playing.play(step))
        out.row(number, outcomes[-1])
    out.block(playing.notes.get("fleet", ""))
    _summary(out, outcomes)
    return all(one.as_told for one in outcomes)


def _summary(out, outcomes):
    good = sum(one.as_told for one in outcomes)
    missing = sum(one.said.startswith("not refused") for one in outcomes)
    for number, one in enumerate(outcomes, 1):
        if not one.as_told:
            out.line(f"  {number:2d}: {one.said[:90]}", good=False)
    if missing:
        out.line(f"{missing} refusals are missing", good=False)
    text = f"{good} of {len(outcomes)} steps went as told"
    out.line(text, good == len(outcomes))


def _show_logs(tail):
    for log in sorted(PLACE.logs.glob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-tail:]
        if lines:
            print(f"--- {log}", *lines, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
