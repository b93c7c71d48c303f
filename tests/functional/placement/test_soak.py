# SPDX-License-Identifier: Apache-2.0
"""The soak in small: 20 reporters, 10 rounds. In full: ``tox -e soak``."""

import random

from tests.soak.run import Size, soak


def test_every_host_has_exactly_what_its_tree_proves(tmp_path):
    seed = random.randrange(1 << 32)
    print(f"python -m tests.soak --reporters 20 --rounds 10 --seed {seed}")
    result = soak(Size(20, 10), seed, tmp_path)
    print(result)
    assert result["wrong"] == []
    # It has seen what it is there for.
    assert result["restarts"] > 1
    assert result["server"]["409"] + result["server"]["500"] > 0
    assert result["hosts"]["not published"] > 0
    assert result["hosts"]["sweeps"] > 0
    assert result["hosts"]["different ends"] > 3
