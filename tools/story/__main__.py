# SPDX-License-Identifier: Apache-2.0
"""Start a small cloud, and play the story on it: see tools/demo.sh."""

import argparse
import pathlib
import sys
import time
import warnings

# Deprecations of other people's libraries are not this story's.
warnings.simplefilter("ignore")

from cloud import place, small  # noqa: E402
from cloud.daemons import Failed  # noqa: E402

_PLACE = place.Place(pathlib.Path(__file__).resolve().parents[2] / ".demo")


def main():
    """Play the story.

    :returns: exit status: 0 when every step went as told, else 1
    """
    options = _arguments()
    begun = time.monotonic()

    def say(what):
        print(f"  {time.monotonic() - begun:5.1f} s  {what}", flush=True)

    gates = not options.without_gates
    print(
        f"Starting Glance and Nova {'with' if gates else 'WITHOUT'} the "
        "gates of nova-vhard:"
    )
    try:
        with small.running(_PLACE.root, gates, say) as cloud:
            # It takes a while to import.
            from story import play

            steps = play.WALK if options.walk else play.GATES
            good = play.play(cloud, steps)
    except place.InUse as error:
        print(error, file=sys.stderr)
        return 1
    except Failed as error:
        print(f"\n{error}. Its logs:", file=sys.stderr)
        _show_logs(tail=15)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    print(f"{time.monotonic() - begun:.0f} seconds; logs in {_PLACE.logs}")
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
    parser.add_argument(
        "--walk",
        action="store_true",
        help="play the way from installed to enforcing and back instead, "
        "with a thousand images; it takes minutes",
    )
    return parser.parse_args()


def _show_logs(tail):
    for log in _PLACE.log_files():
        lines = log.read_text(errors="replace").splitlines()[-tail:]
        if lines:
            print(f"--- {log}", *lines, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
