# SPDX-License-Identifier: Apache-2.0
"""Cost of judging and of loading a policy, compared to other libraries.

An evaluation is an image's properties read and judged, on one core, under
policies of one and of 10,000 exemptions, and with a wish that an exemption
lets through.  Its peers judge the same choices with jsonschema (a validator
that is made beforehand, with the values that policy baseline allows), and an
image upload's rule with oslo.policy, whose rules are about who asks alone.
jsonschema sees what the image says; an evaluation also reads legacy names, and
judges what Nova picks where the image says nothing.

Loading 10,000 exemptions is all of it: parsed, validated, built.  Its peer is
``yaml.safe_load`` of the same file, which only parses.

Blocks of evaluations take turns and are timed in the thread's processor time.
A ratio is that of the blocks right after one another: evaluations a second of
ours over those of the peer, and time of loading over that of the peer.
"""

import datetime
import gc
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from oslo_config import cfg
from oslo_policy import policy as oslo_policy

from nova_vhard.policy import document
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import UPLOAD, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import image
from tests.benchmarks import common, glance_server
from tests.benchmarks.filter_fleet import PROJECT, policy_text
from tests.benchmarks.glance_client import IMAGE

MANY = 10000
BLOCK = 500
TODAY = datetime.date(2026, 9, 1)
SUBJECT = Subject(UPLOAD, PROJECT, "default", frozenset(("member", "reader")))

CLEAN = {name: str(IMAGE[name]) for name in IMAGE if name.startswith("hw_")}
IDE = {**CLEAN, "hw_disk_bus": "ide"}
#: What ten rules of policy baseline refuse.
TEN = {
    **IDE,
    "hw_machine_type": "pc",
    "hw_rescue_bus": "ide",
    "hw_scsi_model": "lsilogic",
    "hw_sound_model": "ac97",
    "hw_video_model": "cirrus",
    "hw_vif_model": "e1000",
    "block_device_mapping": '[{"device_type": "lun"}, {"disk_bus": "ide"}, '
    '{"disk_bus": "fdc"}]',
}

_RULE = "role:member and project_id:%(owner)s"
_CREDENTIALS = {"roles": ["member", "reader"], "project_id": PROJECT}
LOAD, PARSE = "load_10000_exemptions", "safe_load_10000_exemptions"
#: Ratio of evaluations per second: the seconds of the one over the other's.
RATIOS = {
    "evaluations_to_jsonschema_ratio": ("jsonschema", "baseline"),
    "evaluations_to_oslo_policy_ratio": ("oslo_policy", "baseline"),
    "exemptions_10000_ratio": ("many_exemptions", "baseline"),
    "load_to_safe_load_ratio": (LOAD, PARSE),
}
BARS = {
    "evaluations_to_*_ratio": {"at_least": 1, "width": 0.2},
    "exemptions_10000_ratio": {"at_most": 1.1, "width": 0.05},
    "load_to_safe_load_ratio": {"at_most": 1, "width": 0.1},
}
#: Blocks of BLOCK evaluations of each kind, and loads.
FULL, QUICK = (60, 9), (20, 2)


def ours(policy: Policy, properties: Mapping[str, str]) -> bool:
    """Return whether an image passes."""
    request = image.read(properties, "raw")
    return not evaluate(policy, request, SUBJECT, TODAY).refusals


def ten_violations(policy: Policy, request: Any) -> bool:
    """Return whether an image that was read before has ten violations."""
    verdict = evaluate(policy, request, SUBJECT, TODAY)
    return len(verdict.violations) == 10


def by_jsonschema() -> Callable[[], bool]:
    """Return a validation of the same properties."""
    wanted = {"type": "object", "properties": glance_server.schema()}
    validator = jsonschema.Draft202012Validator(wanted)
    assert not validator.is_valid(IDE)
    return partial(validator.is_valid, CLEAN)


def by_oslo_policy() -> Callable[[], bool]:
    """Return an authorization of the upload of an image."""
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    enforcer = oslo_policy.Enforcer(conf)
    enforcer.register_default(oslo_policy.RuleDefault("add_image", _RULE))
    target = {"owner": PROJECT}
    return partial(enforcer.authorize, "add_image", target, _CREDENTIALS)


def taken_in_turns(
    runs: Mapping[str, Callable[[], Any]], rounds: int, repeats: int
) -> dict[str, list[float]]:
    """Return the seconds of the processor that one run of many takes."""

    def block(run: Callable[[], Any]) -> float:
        gc.collect()  # the garbage of the block before
        start = time.thread_time()
        for _ in range(repeats):
            assert run()
        return (time.thread_time() - start) / repeats

    return common.in_turns(
        {name: partial(block, run) for name, run in runs.items()}, rounds
    )


def measured(blocks: int, loads: int) -> common.Figures:
    """Return all figures."""
    shipped = document.load(document.shipped("baseline"))
    with tempfile.TemporaryDirectory() as folder:
        single, path = (Path(folder, f"{n}.yaml") for n in (1, MANY))
        single.write_text(policy_text(1))
        path.write_text(policy_text(MANY))
        one, many = (document.load(str(each)) for each in (single, path))
        gc.freeze()  # so that a collection does not look at what stays
        common.progress("evaluations ...")
        samples = taken_in_turns(
            {
                "baseline": partial(ours, one, CLEAN),
                "many_exemptions": partial(ours, many, CLEAN),
                "exempted": partial(ours, many, IDE),
                "jsonschema": by_jsonschema(),
                "oslo_policy": by_oslo_policy(),
                "ten_violations": partial(
                    ten_violations, shipped, image.read(TEN, "raw")
                ),
            },
            blocks,
            BLOCK,
        )
        common.progress(f"loading {MANY} exemptions ...")
        text = path.read_text()
        samples |= taken_in_turns(
            {
                LOAD: partial(document.load, str(path)),
                PARSE: partial(yaml.safe_load, text),
            },
            loads,
            1,
        )
    figures = {}
    for name, (over, under) in RATIOS.items():
        figures |= common.ratio(samples, over, under, name)
    for name, seconds in samples.items():
        figures[f"{name}_us"] = common.median_us(seconds)
    return figures


measure = partial(measured, *FULL)
quick = partial(measured, *QUICK)
