# SPDX-License-Identifier: Apache-2.0
"""Run every benchmark in turn, or those that are named.

    tools/bench.sh all [NAME ...]

Each benchmark runs as ``tools/bench.sh NAME --check`` does.  Its result is
saved as soon as it ends, in doc/source/contributor/figures.json and in the
generated part of the page, so an interrupted run loses nothing.
Benchmarks that are not run keep their saved results.

A benchmark that only has intervals that are too wide to tell runs once more.

All saved results are printed, followed by the missed bars.  The exit status
is 1 if a bar is missed, a benchmark failed or this machine cannot run it.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from nova_vhard.common import files
from tests.benchmarks import figures_page
from tests.benchmarks.common import progress

FOLDER = figures_page.ROOT / "doc" / "source" / "contributor"
KEPT, PAGE = FOLDER / "figures.json", FOLDER / "figures.inc"

#: Seconds after which a benchmark is told to end. Those that measure until an
#: interval is narrow begin nothing after ten minutes.
LIMITS = {
    "policy": 240,
    "filter": 240,
    "scheduler": 520,
    "schema": 1220,
    "glance": 1380,
    "nova-api": 1240,
    "audit": 600,
    "server-audit": 1080,
    "weight": 400,
    "reporter": 360,
    "guard": 400,
    "placement": 840,
    "scale": 1200,
    "abuse": 1200,
    "boots": 1200,
}
_STATES = {0: "held", 1: "missed", 2: "unavailable"}
_PACKAGES = ("nova", "glance", "openstack-placement", "keystone")


def machine() -> dict[str, Any]:
    """Return what kind of machine this is; nothing that tells which."""
    found = {x.name: x.version for x in importlib.metadata.distributions()}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30),
        "python": platform.python_version(),
        "versions": {x: found[x] for x in _PACKAGES if x in found},
    }


def run(
    name: str, *options: str, limit: float
) -> tuple[int, dict[str, Any], str]:
    """Run one benchmark; its progress is shown.

    :param options: of ``tools/bench.sh NAME``
    :param limit: seconds after which it is told to end
    :returns: exit status, what it has saved (nothing where it failed), and
        the last line that it said on standard error
    """
    last = ""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "saved.json"
        script = str(figures_page.SCRIPT)
        command = [script, name, *options, "--save", str(saved)]
        process = subprocess.Popen(
            ["timeout", "--foreground", str(limit), *command],
            cwd=figures_page.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        try:
            for line in process.stderr or ():
                progress(f"  {line.rstrip()}")
                last = line.strip() or last
            process.wait()
        finally:
            process.terminate()
            process.wait()
        answer = json.loads(saved.read_text()) if saved.exists() else {}
    return process.returncode, answer, last


def result(name: str) -> dict[str, Any]:
    """Run one benchmark; return what is kept of it."""
    begun = time.monotonic()
    status, saved, last = run(name, "--check", limit=LIMITS[name])
    state = _STATES.get(status, "failed")
    # A benchmark that fails exits with 1, too, but has saved nothing.
    if state != "unavailable" and not saved:
        state = "failed"
    why = [last.replace(str(figures_page.ROOT), "...")]
    return {
        "state": state,
        "said": saved.get("missed", why),
        "day": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "took_s": round(time.monotonic() - begun),
        "machine": machine(),
        "figures": saved.get("figures", {}),
        "bars": saved.get("bars", {}),
    }


def kept() -> dict[str, Any]:
    """Return the results that are there."""
    return dict(json.loads(KEPT.read_text(encoding="utf-8")))


def main() -> int:
    """Run benchmarks; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools/bench.sh all")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument(
        "--check", action="store_true", help="is always so for all of them"
    )
    names = parser.parse_args().names
    if unknown := sorted({*names} - {*LIMITS}):
        parser.error(f"no {unknown[0]}; there are {', '.join(LIMITS)}")
    # An end that cleans up, as after Ctrl-C, not a sudden one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = [each for each in LIMITS if each in (names or LIMITS)]
    missed = []
    for number, name in enumerate(wanted, 1):
        progress(f"== {number}/{len(wanted)} {name}")
        answer = result(name)
        # No bar was missed, but something else used the machine (see ``bar``).
        if answer["said"] and all("too noisy" in x for x in answer["said"]):
            answer = result(name)
        results = {**kept(), name: answer}
        files.replace(str(KEPT), json.dumps(results, indent=2) + "\n", 0o644)
        files.replace(str(PAGE), figures_page.page(results), 0o644)
        if answer["state"] != "held":
            missed += [
                f"{name}: {line}"
                for line in answer["said"] or [answer["state"]]
            ]
        progress(f"== {name}: {answer['state']}, {answer['took_s']} s")
    print(json.dumps(kept(), indent=2), flush=True)
    for line in missed:
        print(line, flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
