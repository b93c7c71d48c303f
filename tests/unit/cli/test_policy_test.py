# SPDX-License-Identifier: Apache-2.0
"""The samples of ``openstack vhard policy test``.

What the command does is in cases/policy_test.yaml.
"""

import datetime
from pathlib import Path

import yaml

from nova_vhard.osc import policies
from nova_vhard.osc.image import images
from nova_vhard.osc.policy import case_file
from nova_vhard.osc.policy.case_file import CASE
from nova_vhard.osc.policy.trial import RunPolicyTests
from nova_vhard.policy import document
from nova_vhard.request.described import LOOKED_AT
from tests import golden
from tests.unit.cli.desk import rows
from tests.unit.docs import ETC
from tests.unit.helpers import shipped, write

SAMPLE = ETC / "policy-tests.yaml"
VMWARE = ETC / "policy-tests-vmware.yaml"
DAY = datetime.date(2026, 11, 29)


def test_the_sample_has_every_operation_and_key():
    text = SAMPLE.read_text(encoding="utf-8")
    cases = yaml.safe_load(text)["cases"]
    assert {each["operation"] for each in cases} == set(LOOKED_AT)
    # The requester's keys are in an example that is commented out.
    named = {key for each in cases for key in each}
    unnamed = CASE["properties"].keys() - named
    assert {key for key in unnamed if f"#    {key}:" not in text} == {"domain"}


def test_the_samples_examples_are_cases(tmp_path):
    text = SAMPLE.read_text(encoding="utf-8")
    head, _, examples = text.partition("# If your policy has an exemption:")
    lines = [each for each in examples.splitlines() if each.startswith("#  ")]
    more = "\n".join(line[1:] for line in lines)
    path = write(tmp_path / "tests.yaml", f"{head}\n{more}\n")
    result = rows(RunPolicyTests, path, "--policy", "baseline")
    assert len(lines) > 10
    assert [each["Result"] for each in result[-2:]] == ["differs", "differs"]


def test_every_key_of_a_case_is_looked_at_somewhere():
    who = {"name", "operation", "project", "domain", "roles", "expect"}
    parts = frozenset().union(*LOOKED_AT.values())
    assert CASE["properties"].keys() == who | parts


def test_guests_from_vmware_under_each_preset():
    cases = yaml.safe_load(VMWARE.read_text(encoding="utf-8"))["cases"]
    lines = []
    for test, said in zip(
        case_file.read(str(VMWARE)).tests, cases, strict=True
    ):
        metadata = said.get("image", said.get("volume"))["properties"]
        for preset in document.SHIPPED:
            verdict = test.case.verdict(shipped(preset), DAY)
            rules = ", ".join(verdict.rules)
            said = f"{test.name}: {preset}: {verdict.outcome} {rules}"
            lines.append(said.strip())
            # image audit --fix has nothing to set.
            image = {"id": "i1", **metadata}
            finding = images.find(shipped(preset), image, DAY)
            assert not (finding and finding.changes)
    golden.check(Path(__file__).with_name("vmware.golden"), lines)


def test_a_replacement_of_vga_lets_the_audit_change_an_image(tmp_path):
    text = """\
        version: "1"
        extends: scs
        guest_devices:
          video_model:
            {allow: [virtio, none], replace: {vga: virtio}, reason: r}
        """
    policy = policies.load(write(tmp_path / "policy.yaml", text))
    finding = images.find(policy, {"id": "i1", "hw_video_model": "vga"}, DAY)
    assert finding.changes == {"hw_video_model": "virtio"}
