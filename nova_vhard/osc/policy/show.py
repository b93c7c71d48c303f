# SPDX-License-Identifier: Apache-2.0
"""openstack vhard policy check and show: policy files, without a cloud."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.machines import NOVA_MACHINE_TYPES
from nova_vhard.common.problems import (
    Path,
    PolicyError,
    Problem,
    spell,
)
from nova_vhard.osc import output, policies
from nova_vhard.policy import assemble, document, provenance
from nova_vhard.policy.model import Assume, Mode, Policy
from nova_vhard.policy.schema import SCHEMA
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.policy.watch import DISABLED, disabled, ending, today
from nova_vhard.request.compose import WANTED_CONFIG_DRIVE, with_specs
from nova_vhard.request.lookups import Image

#: nova-compute option for each key of ``assume``.
_OPTIONS = {
    "virt_type": "[libvirt] virt_type",
    "use_virtio_for_bridges": "[libvirt] use_virtio_for_bridges",
    "force_config_drive": "[DEFAULT] force_config_drive",
    "pointer_model": "[DEFAULT] pointer_model",
    "cpu_mode": "[libvirt] cpu_mode",
}

DEFAULT = "default"
_NOTHING = "(nothing)"
_NOT_JUDGED = "(not judged)"


class CheckPolicy(output.OfflineLister):
    """List every error of a policy file.

    Lists all errors of the file and of the files that it extends, with their
    places and the expected values. Warnings are about exemptions that have
    ended or end within 14 days, entries that do not look like the id of a
    project, domain or image, and a policy that is disabled, by enabled: false
    or by a file of its name plus .disabled next to it. Notes are about
    settings that the policy assumes and that are not Nova's defaults, and
    about rules that refuse every new server whose image does not set the
    property. Exit status 1 if there are errors, otherwise 0; with
    --fail-on-warn 3 if there are only warnings. Needs no cloud.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the file."""
        parser.add_argument(
            "file",
            metavar="<file>",
            help=f"Policy file, or {' or '.join(document.SHIPPED)}, which "
            "ship with the package.",
        )
        parser.add_argument(
            "--fail-on-warn",
            action="store_true",
            help="Exit status 3 if there are only warnings.",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> output.Rows:
        """Return one row an error or warning."""
        path = document.resolve(parsed_args.file)
        reading = document.Reading(path)
        errors = PolicyError(reading.problems).problems
        warnings = list(reading.warnings)
        what, notes = "", list[Problem]()
        if policy := reading.policy:
            warnings += _warnings(policy, reading.tree)
            notes += _notes(policy, reading.tree)
            what = f"; policy {policy.digest} of {', '.join(policy.files)}"
        if disabled(path):
            warnings.append(
                Problem(
                    path + DISABLED,
                    1,
                    "",
                    f"{path.rpartition('/')[2]}{DISABLED} exists: services "
                    "that read this policy refuse nothing; remove the file to "
                    "enforce again",
                )
            )
        if errors:
            self.status = 1
        elif warnings and parsed_args.fail_on_warn:
            self.status = output.FAILED
        self.say(
            f"{output.counted(len(errors), 'error')}, "
            f"{output.counted(len(warnings), 'warning')}{what}"
        )
        return ("Severity", "File", "Line", "Path", "Message"), [
            (
                severity,
                item.file,
                item.line or output.Cell(None),
                item.path,
                item.message,
            )
            for severity, result in (
                ("error", errors),
                ("warning", warnings),
                ("note", notes),
            )
            for item in result
        ]


def _warnings(policy: Policy, tree: provenance.Tree) -> Iterator[Problem]:
    switch: Path = ("enabled",)
    stated = provenance.find(tree, switch)
    if not policy.enabled and stated is not None:
        yield Problem(
            stated.file,
            stated.line,
            spell(switch),
            "nothing is refused: remove the line, or set it to true, to "
            "enforce again",
        )
    for index, text in ending(policy, today()):
        place: Path = ("exemptions", index, "until")
        stated = provenance.find(tree, place)
        if stated is not None:
            yield Problem(stated.file, stated.line, spell(place), text)


def _notes(policy: Policy, tree: provenance.Tree) -> Iterator[Problem]:
    """Yield settings that hosts and images need besides Nova's defaults."""
    usual = Assume()
    options: list[tuple[Path, str, Any, Any]] = [
        (
            ("assume", name),
            option,
            getattr(policy.assume, name),
            getattr(usual, name),
        )
        for name, option in _OPTIONS.items()
    ]
    options += [
        (
            ("assume", "machine_type", arch),
            "[libvirt] hw_machine_type",
            f"{arch}={machine}",
            f"{arch}={NOVA_MACHINE_TYPES.get(arch)}",
        )
        for arch, machine in policy.assume.machine_type.items()
    ]
    for path, option, wanted, nova in options:
        stated = provenance.find(tree, path)
        if wanted != nova and stated is not None:
            yield Problem(
                stated.file,
                stated.line,
                spell(path),
                f"set {option} = {wanted} in the hosts' nova.conf (Nova's "
                f"default is {nova}), or set this key in your "
                "policy",
            )
    # A new server with a config drive, from an image without properties.
    silent = Image().hardware().plus(devices=[WANTED_CONFIG_DRIVE])
    verdict = evaluate(policy, with_specs(silent, {}), Subject(BOOT), today())
    causes = [violation.cause for violation in verdict.refusals]
    for choice in filter(None, (cause.choice for cause in causes)):
        place = ("guest_devices", choice.kind, "allow")
        stated = provenance.find(tree, place)
        if stated is not None:
            yield Problem(
                stated.file,
                stated.line,
                spell(place),
                "refuses every new server with a config drive whose image and "
                f"flavor do not set the device: {choice.implied}",
            )


class ShowPolicy(output.OfflineLister):
    """Show a policy, each line with its source.

    Without --effective, shows only the file itself. With --effective, shows
    the result of the file, the files that it extends and the defaults, without
    reasons; "default" means that no file sets the key. Needs no cloud.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the file and the choice of the view."""
        parser.add_argument(
            "file",
            metavar="<file>",
            nargs="?",
            default=policies.default_policy(),
            help=f"Policy file, or {' or '.join(document.SHIPPED)}, which "
            "ship with the package (default: %(default)s).",
        )
        parser.add_argument(
            "--effective",
            action="store_true",
            help="Include the policies that it extends, and the defaults.",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> output.Rows:
        """Return one row a key."""
        path = document.resolve(parsed_args.file)
        try:
            rows = (
                _of_policy(document.Reading(path))
                if parsed_args.effective
                else _of_file(document.own(path))
            )
        except PolicyError as error:
            raise policies.failure(error, option="") from error
        return ("Key", "Value", "Mode", "File", "Line"), [
            (
                spell(row.path),
                output.Cell(row.value, row.none),
                output.Cell(row.mode),
                row.file,
                output.Cell(row.line),
            )
            for row in rows
        ]


@dataclass(frozen=True)
class _Row:
    """One key of a policy.

    :ivar value: None if the key is not set and nothing is checked
    :ivar mode: mode of the rule; None if the key is not a rule
    :ivar file: path of the file that sets the key, or ``default``
    :ivar line: line in that file, from 1
    :ivar none: the word for no value
    """

    path: Path
    value: Any
    mode: Mode | None
    file: str
    line: int | None
    none: str = _NOTHING


def _of_file(tree: provenance.Tree) -> Iterator[_Row]:
    """Yield what one file says, in its own order."""
    for path, stated in provenance.values(tree):
        yield _Row(path, stated.value, None, stated.file, stated.line)


def _of_policy(reading: document.Reading) -> list[_Row]:
    """Return the effective policy, in the order of the reference.

    :raises PolicyError: if it cannot be used
    """
    policy = reading.good()
    stated = {
        path: _Row(path, item.value, _mode(policy, path), item.file, item.line)
        for path, item in provenance.values(reading.tree)
        if path[0] != "guest_devices" or path[-1] != "reason"
    }
    unsaid = {
        path: _Row(
            path, value, _mode(policy, path), DEFAULT, None, _NOT_JUDGED
        )
        if value is None
        else _Row(path, value, _mode(policy, path), DEFAULT, None)
        for path, value in _defaults(policy)
        if path not in stated
    }
    return sorted((stated | unsaid).values(), key=_place)


def _place(row: _Row) -> tuple[int, int]:
    """Return the sort key: the section, and a kind's place in the catalogue.

    Rows with equal keys stay in the order of the file.
    """
    sections = list(SCHEMA["properties"])
    kinds = list(KINDS)
    second = row.path[1] if len(row.path) > 1 else None
    known = row.path[0] == "guest_devices"
    return (
        sections.index(str(row.path[0])),
        kinds.index(str(second)) if known else 0,
    )


def _mode(policy: Policy, path: Path) -> Mode | None:
    """Return the mode of a rule for projects without their own."""
    if path[0] == "guest_devices" and path[-1] == "allow":
        return policy.guest_devices[str(path[1])].mode or policy.mode
    if path[0] == "passthrough" and path[1:] and path[1] != "mode":
        rule = policy.passthrough
        return (rule.mode if rule else None) or policy.mode
    if path == ("hosts", "require"):
        return policy.hosts.mode or policy.mode
    return None


def _defaults(policy: Policy) -> Iterator[tuple[Path, Any]]:
    """Yield every default with its path; None for what is not judged."""
    bare = assemble.policy({}, [])
    yield ("enabled",), bare.enabled
    yield ("mode",), str(bare.mode)
    types = sorted(name.upper() for name in bare.hypervisor_types)
    yield ("applies_to", "hypervisor_type"), types
    for field in fields(bare.assume):
        if field.name != "machine_type":
            yield ("assume", field.name), getattr(bare.assume, field.name)
    for arch, machine in NOVA_MACHINE_TYPES.items():
        yield ("assume", "machine_type", arch), machine
    for kind in KINDS:
        if kind not in policy.guest_devices:
            yield ("guest_devices", kind), None
    if policy.passthrough is None:
        yield ("passthrough",), None
    else:
        allow = SCHEMA["properties"]["passthrough"]["properties"]["allow"]
        for kind in allow["properties"]:
            yield ("passthrough", "allow", kind), []
        yield ("passthrough", "require"), []
    yield ("hosts", "require"), []
    yield ("hosts", "max_report_age"), str(bare.hosts.max_report_age)
    yield ("hosts", "trust"), str(bare.hosts.trust)
    yield ("moves", "guest_devices"), str(bare.moves_guest_devices)
    yield ("moves", "hosts"), str(bare.moves_hosts)
    for key in fields(bare.on_host):
        yield ("on_host", key.name), str(getattr(bare.on_host, key.name))
