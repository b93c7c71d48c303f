# SPDX-License-Identifier: Apache-2.0
"""Commands to mutmut, run in the folder in which it works.

    python inside.py names          creates the mutants; prints their names,
                                    each with a digest of its function
    python inside.py imported       prints what runs when a module is imported
    python inside.py diffs NAME...  prints what was changed

Each prints one JSON object after mutmut's own output. Run it by path: the
``tests`` of the folder are copies, and this program imports none of them.
"""

import hashlib
import importlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

#: Tells the answer from the rest of the output.
MARK = "\x1e"


def names() -> dict[str, str]:
    """Make the mutants; return a digest of each by its name."""
    from mutmut import __main__ as mutmut

    os.environ["MUTANT_UNDER_TEST"] = "mutant_generation"
    Path("mutants").mkdir(exist_ok=True)
    mutmut.copy_src_dir()
    mutmut.copy_also_copy_files()
    mutmut.setup_source_paths()
    mutmut.create_mutants(os.cpu_count() or 1)
    return _digests()


def _digests() -> dict[str, str]:
    """Return a digest of each mutant: of its function, not of its number."""
    from mutmut.__main__ import collect_source_file_mutation_data
    from mutmut.mutation.data import MutantLineSpans

    digests = {}
    _, files = collect_source_file_mutation_data(mutant_names=())
    for path, data in files.items():
        every = list(data.exit_code_by_key)
        spans = MutantLineSpans.load(path)
        plain = [name.rpartition(".")[2] for name in every]
        sources = spans.read_function_sources(plain) if every else []
        for name, source in zip(every, sources, strict=True):
            text = path + re.sub(r"__mutmut_\w+", "", source)
            digests[name] = hashlib.sha256(text.encode()).hexdigest()
    return digests


def imported() -> list[str]:
    """Return the functions that run when the mutated modules are imported.

    Their results are fixed before mutmut chooses a mutant.
    """
    from mutmut import __main__ as mutmut
    from mutmut.state import state

    modules = {re.split(r"\.x[_ǁ]", name)[0] for name in _digests()}
    mutmut.setup_source_paths()
    os.environ["MUTANT_UNDER_TEST"] = "stats"
    for module in sorted(modules):
        importlib.import_module(module)
    return sorted(state()._stats)


def diffs(wanted: list[str]) -> dict[str, str]:
    """Return what was changed in mutants, as unified diffs."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    return {name: get_diff_for_mutant(name) for name in wanted}


def main(arguments: list[str]) -> None:
    """Print the answer."""
    what, *rest = arguments
    ask: dict[str, Any] = {"names": names, "imported": imported}
    answer = diffs(rest) if what == "diffs" else ask[what]()
    print(MARK + json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
