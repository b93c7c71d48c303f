# SPDX-License-Identifier: Apache-2.0
"""Commands to mutmut, run in the folder in which it works.

    python inside.py names          makes the mutants
    python inside.py run NAME...    runs the tests on mutants
    python inside.py diffs NAME...

The last command prints the diff of each mutant, the others print the state of
every mutant, as one JSON object after mutmut's own output. Run it by path: the
``tests`` of the folder are copies, and this program imports none of them.
"""

import json
import os
import sys
from pathlib import Path

#: Separates the answer from the rest of the output.
MARK = "\x1e"
WORKERS = 2


def main(what: str, *names: str) -> None:
    """Print the answer."""
    os.environ["MUTANT_UNDER_TEST"] = "mutant_generation"
    from mutmut import __main__ as mutmut
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code

    if what == "run":
        mutmut._run(names, WORKERS)
    elif what == "names":
        Path("mutants").mkdir(exist_ok=True)
        mutmut.copy_src_dir()
        mutmut.copy_also_copy_files()
        mutmut.setup_source_paths()
        mutmut.create_mutants(os.cpu_count() or 1)
    if what == "diffs":
        answer = {name: get_diff_for_mutant(name) for name in names}
    else:
        every, _ = mutmut.collect_source_file_mutation_data(mutant_names=())
        answer = {name: status_by_exit_code[code] for _, name, code in every}
    print(MARK + json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
