# SPDX-License-Identifier: Apache-2.0
"""A judge with a policy, a memory and a report of its own."""

import datetime
import json
import logging
import tempfile

import pytest

from nova_vhard.catalogue.domain_devices import FILES
from nova_vhard.conf import guard as guard_conf
from nova_vhard.guard import posture
from nova_vhard.guard.judge import Judge
from nova_vhard.guard.memory import Memory
from tests.unit.guard import domains


@pytest.fixture
def events(caplog):
    """Return a function that returns the events so far, or a field of them."""
    caplog.set_level(logging.INFO, "nova_vhard.decisions")

    def so_far(field=None):
        found = [
            json.loads(record.message)
            for record in caplog.records
            if record.name == "nova_vhard.decisions"
        ]
        return [event[field] for event in found] if field else found

    return so_far


@pytest.fixture
def memory(tmp_path):
    """Return the memory of a host all whose guests have been taken in."""
    result = Memory(str(tmp_path / "state"))
    result.adopt()
    return result


@pytest.fixture
def report(tmp_path):
    """Return the path of a report; it is not there yet."""
    return tmp_path / "report.json"


@pytest.fixture
def judge(memory, report):
    folders = {
        option.name: option.default
        for option in guard_conf.OPTS
        if option.name in FILES
    }
    return Judge(
        memory,
        lambda hours: posture.passed(
            str(report), hours, datetime.datetime.now(datetime.UTC)
        ),
        folders=folders,
    )


@pytest.fixture
def policy(tmp_path):
    """Return a function that loads a policy."""
    return lambda more="": domains.policy(tmp_path / "policy.yaml", more)


@pytest.fixture
def short():
    """Return a folder whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="vhard-", dir="/tmp") as folder:
        yield folder
