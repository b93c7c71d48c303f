# SPDX-License-Identifier: Apache-2.0
"""Cleaning steps on devices of an emulated guest, with their own tools.

QEMU's NVMe controller erases for ``--ses=1``; its FNA says that it has no
crypto erase, and it answers Success to one all the same; it has no Sanitize.
"""

import pytest

from tests.emulated.conftest import CASES


def text(answer):
    return "\n".join([answer["said"], *answer["evidence"]])


def test_a_drive_is_erased_and_stays_with_its_driver(answers):
    answer = answers["as it is"]
    assert answer["clean"], answer
    assert answer["left"] is False
    assert answer["drivers"] == ["nvme", "nvme"]
    assert "by format_user_data" in answer["said"]
    assert "0 of 2" in text(answer)
    assert "serial vhard0" in text(answer)


def test_a_drive_without_a_driver_gets_one_and_loses_it_again(answers):
    answer = answers["no driver"]
    assert answer["clean"], answer
    assert answer["left"] is False
    assert answer["drivers"] == [None, None]


@pytest.mark.parametrize("case", ["no crypto erase", "no sanitize"])
def test_what_the_controller_does_not_say_it_has_is_not_done(answers, case):
    answer = answers[case]
    assert not answer["clean"], answer
    assert answer["left"] is True
    assert answer["said"].startswith("it has no ")


def test_why_its_word_is_asked_for_first(answers):
    """It says Success to what it does not have."""
    assert answers["ses=2"]["status"] == 0
    assert "Success" in answers["ses=2"]["printed"]
    for case in ("sanitize", "log"):
        assert answers[case]["status"] != 0
        assert "Invalid" in answers[case]["printed"]


def test_a_drive_that_lies_is_found_out_by_samples(answers):
    answer = answers["it lies"]
    assert not answer["clean"], answer
    assert answer["left"] is True
    assert "format_crypto" in text(answer)
    assert "samples are as they were before" in answer["said"]


def test_storage_of_several_controllers_is_left_alone(answers):
    answer = answers["shared"]
    assert not answer["clean"], answer
    assert "other controllers" in answer["said"]


def test_a_drive_that_the_host_uses_is_left_alone(answers):
    answer = answers["in use"]
    assert not answer["clean"], answer
    assert answer["left"] is True
    assert "busy" in answer["said"]


def test_the_record_has_every_case(answers):
    by_hand = {"ses=2", "sanitize", "log", "versions", "end"}
    assert set(answers) == set(CASES) | by_hand
