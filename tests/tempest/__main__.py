# SPDX-License-Identifier: Apache-2.0
"""python -m tests.tempest [--few | EXPRESSION ...]: with and without gates.

Makes both clouds, one after the other, below .cache/tempest, and writes the
table. With expressions, for the ids of tests, those alone are run and nothing
is written; with --few those of tests/tempest/few.txt, in a minute. Ends
with 1 if a test came out otherwise and no rule says so, or if none was run.
"""

import importlib.metadata
import shutil
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

from cloud import place  # noqa: E402
from cloud.cloud import Cloud  # noqa: E402
from tests.tempest import table, workspace  # noqa: E402

_ROOT = Path(__file__).resolve().parents[2]
_WORK = _ROOT / ".cache" / "tempest"


def main(arguments):
    shutil.rmtree(_WORK, ignore_errors=True)
    _WORK.mkdir(parents=True)
    # The option of tempest run that says which tests are run.
    chosen = f"--regex={'|'.join(arguments)}"
    if arguments in ([], ["--few"]):
        name = "few.txt" if arguments else "subset.txt"
        chosen = f"--include-list={workspace.HERE / name}"
    plain, gates = (_results(name, chosen) for name in ("without", "enforce"))
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name.lower())}"
        for name in ("Tempest", "Nova", "Glance", "Cinder", "Neutron")
    )
    text = table.table(plain, gates, f"{versions}.")
    if arguments:
        print(text.splitlines()[0])
    else:
        page = "doc/source/contributor/tempest.inc"
        (_ROOT / page).write_text(text, encoding="utf-8")
    different = table.differences(plain, gates)
    for test, rules in different.items():
        print(f"{test}: {', '.join(rules) or 'NO RULE'}")
        for side, results in (("without", plain), ("enforce", gates)):
            if test in results and not rules:
                # its last calls, and its error
                text = results[test].text[-3000:]
                print(f"{side}: {table.outcome(results, test)}\n{text}")
    return 0 if gates and all(different.values()) else 1


def _results(name, chosen):
    """Run the tests on one of the clouds and return their results."""
    folder = _WORK / name
    folder.mkdir()
    stored = place.Place(folder / "cloud")
    stored.take()
    cloud = Cloud(stored, place.progress())
    try:
        cloud.up(gates=name == "enforce")
        workspace.make(cloud.facts, folder)
        return workspace.run(folder, chosen)
    finally:
        cloud.down()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
