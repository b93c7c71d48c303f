# SPDX-License-Identifier: Apache-2.0
"""The servers of benchmarks: which of them is which."""

import pytest

from tests.benchmarks import client

MODULE = "tests.unit.named_server"


def test_a_server_is_known_by_its_index_not_by_when_it_is_ready(tmp_path):
    servers = [(tmp_path / "a", "late"), (tmp_path / "b", "late")]
    with client.serve(MODULE, *servers) as ready:
        assert ready == [(10, 11), (20, 21)]


def test_each_server_answers_for_its_folder(tmp_path):
    servers = [(tmp_path / name, "early") for name in ("a", "b", "c")]
    with client.serve(MODULE, *servers) as ready:
        names = [
            client.Client(pid, port).timed("GET", "/")[1].decode()
            for pid, port in ready
        ]
    assert names == ["a", "b", "c"]


def test_one_that_cannot_start_says_why(tmp_path):
    servers = [(tmp_path / name, "early") for name in ("a", "none")]
    with (
        pytest.raises(RuntimeError, match="this one cannot start"),
        client.serve(MODULE, *servers),
    ):
        pass
