# SPDX-License-Identifier: Apache-2.0
"""Start a small cloud, and play the story on it: see tools/demo.sh."""

import argparse
import pathlib
import sys
import warnings

# Deprecations of other people's libraries are not this story's.
warnings.simplefilter("ignore")

from cloud import place, small  # noqa: E402
from cloud.daemons import Failed  # noqa: E402

_PLACE = place.Place(pathlib.Path(__file__).resolve().parents[2] / ".demo")


def main():
    """Play the story; return 0 when every step passed, else 1."""
    parser = argparse.ArgumentParser(
        prog="tools/demo.sh",
        description="Start real Nova, Glance and Placement on loopback and "
        "play requests that the gates of nova-vhard refuse or allow.",
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
    options = parser.parse_args()
    gates = not options.without_gates
    word = "with" if gates else "WITHOUT"
    print(f"Starting Glance and Nova {word} the gates of nova-vhard:")
    say = place.progress()
    try:
        with small.running(_PLACE.root, gates, say) as cloud:
            # It takes a while to import.
            from story import play

            story = play.WALK if options.walk else play.GATES + play.DEVICES
            good = play.play(cloud, story)
    except (Failed, place.InUse) as error:
        print(f"{error}; logs are in {_PLACE.logs}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    say(
        f"the end; logs are in {_PLACE.logs}. This cloud is stopped; to try "
        "commands: tools/cloud.sh up"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
