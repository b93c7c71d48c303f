# SPDX-License-Identifier: Apache-2.0
"""Odd values in tables and messages: nothing but clean lines comes out."""

from typing import Any

import pytest
import yaml
from osc_lib import exceptions

from nova_vhard.explain import messages
from nova_vhard.osc import output
from nova_vhard.osc.image import images
from nova_vhard.osc.policy.trial import ExplainPolicy, RunPolicyTests
from nova_vhard.osc.server import servers
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import image as image_reader
from nova_vhard.request.compose import with_specs
from tests import seeds
from tests.clean import cells, unclean
from tests.fuzz.mutate import Mutator, patience, tried
from tests.fuzz.odd import TEXTS
from tests.unit.cli.desk import Done, run
from tests.unit.helpers import TODAY, shipped

INPUTS = seeds.fuzz_inputs(150)
FORMATS = ("table", "value", "csv", "json")
PROPERTIES = {
    "hw_disk_bus": "ide",
    "hw_machine_type": "pc",
    "hw_architecture": "x86_64",
    "hw_emulation_architecture": "aarch64",
    "os_distro": "windows",
    "img_config_drive": "mandatory",
    "block_device_mapping": [{"device_type": "cdrom", "disk_bus": "ide"}],
}
SPECS = {
    "hw:sound_model": "sb16",
    "pci_passthrough:alias": "gpu:1,net:2",
    "accel:device_profile": "fpga",
    "resources:VGPU": "1",
    "resources_\n:CUSTOM_X": "1",
    "vhard:require": "iommu, kernel_aslr",
}
FACTS = {
    "id": "155d900f-4e14-4e4c-a73d-069cbf4541e6",
    "name": "image",
    "owner": "project",
    "visibility": "private",
    "status": "active",
    "disk_format": "iso",
}


POLICY = shipped("strict")


def wrong(done: Done) -> str:
    """Return what is unclean in what a command printed."""
    return unclean(done.out, lines=True) or unclean(done.err, lines=True)


def table(columns: Any, rows: list[Any], *arguments: str) -> Done:
    """Print rows as a command with such a table does."""

    class Table(output.Lister):
        auth_required = False

        def take_action(self, parsed_args: Any) -> Any:
            self.say(f"{rows[0]} and more" if rows else "")
            return columns, rows

    return run(Table, *arguments)


def request(mutator: Mutator, changes: int) -> HardwareRequest:
    """Return what an odd image and an odd flavor ask for."""
    return with_specs(
        image_reader.read(mutator.mapping(PROPERTIES, changes)),
        mutator.texts(SPECS, changes),
    )


def found(mutator: Mutator) -> dict[Any, list[Any]]:
    """Return the rows of both audits about odd things, by their columns."""
    facts = {
        name: mutator.one_of((fact, *TEXTS)) for name, fact in FACTS.items()
    }
    finding = images.find(POLICY, mutator.texts(PROPERTIES, 4) | facts, TODAY)
    had = request(mutator, 4)
    server = servers.Server(
        *(mutator.one_of(("x", *TEXTS)) for _ in range(6)),
        had=had,
        now=image_reader.read(mutator.mapping(PROPERTIES, 4)),
        rest=had,
        device_names=(mutator.one_of(("/dev/hda", *TEXTS)),),
        unseen=(mutator.one_of(TEXTS),),
    )
    return {
        images.COLUMNS: list(finding.rows("violates")) if finding else [],
        servers.COLUMNS: servers.Auditor(POLICY, TODAY).rows(server),
    }


def test_fuzz_of_the_audits() -> None:
    def outcome(mutator: Mutator) -> str:
        kind = str(mutator.one_of(FORMATS))
        with patience():
            results = found(mutator)
        for columns, listed in results.items():
            shown = table(columns, listed, "-f", kind)
            assert not wrong(shown), (mutator.name, kind, wrong(shown))
            assert not list(cells(listed)), mutator.name
        return kind if any(results.values()) else ""

    assert tried(outcome, INPUTS).keys() >= {*FORMATS}


def test_fuzz_of_the_explanations() -> None:
    def outcome(mutator: Mutator) -> int:
        subject = Subject(BOOT, *(mutator.one_of(TEXTS) for _ in range(2)))
        with patience():
            verdict = evaluate(POLICY, request(mutator, 5), subject, TODAY)
        if violations := verdict.violations:
            long = messages.api_message(violations, subject)
            short = messages.fault_message(violations)
            for text, limit in (
                (long, 16 * 1024),
                (short, messages.SHORT_LIMIT),
            ):
                assert not unclean(text), mutator.name
                assert len(text.encode()) <= limit, mutator.name
        return min(2, len(violations))

    assert tried(outcome, INPUTS)[2]


def test_fuzz_of_the_policy_commands(tmp_path: Any) -> None:
    path = tmp_path / "cases.yaml"

    def outcome(mutator: Mutator) -> str:
        case = {
            "name": "n",
            "operation": "boot",
            "image": {"properties": mutator.texts(PROPERTIES)},
            "expect": {"verdict": "allow", "rules": []},
        }
        cases = mutator.tree({"version": 1, "cases": [case]}, 2)
        path.write_text(
            yaml.safe_dump(cases, allow_unicode=True), "utf-8", "surrogatepass"
        )
        command = mutator.one_of(
            (
                (RunPolicyTests, str(path)),
                (
                    ExplainPolicy,
                    "--property",
                    f"hw_machine_type={mutator.one_of(TEXTS)}",
                ),
            )
        )
        try:
            with patience():
                done = run(*command, *("--policy", "strict", "-f", "table"))
        except exceptions.CommandError as error:
            assert not unclean(str(error)), (mutator.name, str(error)[:500])
            return "refused"
        assert not wrong(done), (mutator.name, wrong(done))
        return "shown"

    assert len(tried(outcome, max(200, INPUTS // 5))) == 2


@pytest.mark.parametrize("odd", TEXTS, ids=lambda odd: ascii(odd[:12]))
def test_an_error_of_a_command_is_one_line(odd: str) -> None:
    class Broken(output.Command):
        auth_required = False

        def take_action(self, parsed_args: Any) -> Any:
            raise RuntimeError(f"Glance: {odd}")

    with pytest.raises(Exception) as caught:
        run(Broken)
    assert not unclean(str(caught.value))
