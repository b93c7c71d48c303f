# SPDX-License-Identifier: Apache-2.0
"""Every benchmark that tools/bench.sh knows is there, and is described."""

import re

from tests.unit import docs

SCRIPT = (docs.ROOT / "tools" / "bench.sh").read_text()
BENCHMARKS = dict(
    re.findall(r"^ +([\w-]+)\) module=([\w.]+) ;;$", SCRIPT, re.M)
)


def test_usage_names_them():
    names = "|".join(BENCHMARKS)
    assert SCRIPT.count(f"tools/bench.sh {names} [--check]") == 2


def test_their_modules_are_there():
    assert "nova-api" in BENCHMARKS
    for module in BENCHMARKS.values():
        assert (docs.ROOT / f"{module.replace('.', '/')}.py").is_file()


def test_the_contributor_guide_describes_them():
    guide = docs.CONTRIBUTOR.read_text()
    for name in BENCHMARKS:
        assert f"``tools/bench.sh {name}``\n" in guide
