# SPDX-License-Identifier: Apache-2.0
"""python -m tests.soak: the full size; prints one JSON object."""

import argparse
import json
import pathlib
import random
import sys
import tempfile

from tests.soak.run import Size, soak


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--reporters", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        result = soak(
            Size(options.reporters, options.rounds),
            options.seed,
            pathlib.Path(folder),
        )
    print(json.dumps(result, indent=2))
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
