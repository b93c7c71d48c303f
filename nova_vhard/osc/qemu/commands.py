# SPDX-License-Identifier: Apache-2.0
"""openstack vhard qemu plan, and build-config: QEMU by the policy."""

import argparse
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from osc_lib import exceptions

from nova_vhard.catalogue.qemu import KCONFIG
from nova_vhard.catalogue.qemu_parts import EXTRAS
from nova_vhard.osc import output, policies
from nova_vhard.osc.qemu import files, needs
from nova_vhard.osc.qemu.needs import DEVICE, FEATURE, MACHINE, Plan


def _add_options(parser: argparse.ArgumentParser) -> None:
    policies.add_option(parser)
    parser.add_argument(
        "--architecture",
        "--arch",
        dest="arch",
        choices=needs.ARCHITECTURES,
        default=needs.ARCHITECTURES[0],
        help="Architecture of the compute nodes (default: %(default)s). "
        "With a wrong one, the files are for other machines, and configure or "
        "the compiler fails.",
    )
    parser.add_argument(
        "--with",
        dest="extras",
        action="append",
        choices=sorted(EXTRAS),
        default=[],
        help="Part that your hosts need but that no policy can name (repeat "
        "for several). If a part that Nova uses here is missing, guests that "
        "need it do not start.",
    )


def _plan(parsed_args: argparse.Namespace) -> Plan:
    """Return the plan.

    :raises CommandError: if no guest could be started on what it builds
    """
    policy = policies.load(parsed_args.policy)
    plan = needs.make(policy, parsed_args.arch, parsed_args.extras)
    if not plan.machines:
        raise exceptions.CommandError(
            f"guest_devices.machine_type of {policy.files[-1]} allows no "
            f"machine type of {plan.arch}: allow "
            f"{' or '.join(plan.left_machines)}, or specify another "
            "--architecture"
        )
    return plan


class PlanQemu(output.OfflineLister):
    """Show what a compute node needs of QEMU under a policy, and why.

    Prints a line for each machine type, device and feature of QEMU's build:
    first those that the policy allows and those that Nova and libvirt always
    add, then those that are not needed. A part that is not listed is not
    needed either. Needs no cloud.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the policy, the architecture, and what is to be added."""
        _add_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> output.Rows:
        """Return one row a part."""
        plan = _plan(parsed_args)
        for line in notes(plan):
            self.say(line)
        return ("Needed", "Type", "Name", "Build", "Why"), list(_rows(plan))


def _rows(plan: Plan) -> Iterator[tuple[Any, ...]]:
    patched = plan.patched()
    for needed, kind, result in (
        (True, MACHINE, plan.machines),
        (True, DEVICE, plan.devices),
        (True, FEATURE, plan.features),
        (False, MACHINE, plan.left_machines),
        (False, DEVICE, plan.left_devices),
        (False, FEATURE, plan.left_features),
    ):
        for name, why in result.items():
            if kind == FEATURE:
                build = f"--{'enable' if needed else 'disable'}-{name}"
            elif name in patched:
                build = "types.patch"
            else:
                symbol = KCONFIG.get(name)
                build = f"CONFIG_{symbol}" if symbol else ""
            yield (
                output.Cell(needed),
                kind,
                name,
                build,
                output.Cell(why, separator="; "),
            )


def notes(plan: Plan) -> Iterator[str]:
    """Yield what an operator has to know before such a QEMU runs."""
    yield (
        f"{output.counted(len(plan.devices), 'device')} needed, "
        f"{len(plan.left_devices)} known and not needed; "
        f"policy {plan.policy.digest}"
    )
    yield from needs.unstarted(plan)


class WriteBuildConfig(output.Offline):
    """Write what QEMU's own build system needs to build the plan.

    The device configuration (--with-devices), the options of configure, of
    the compiler and of the linker, a patch for devices that QEMU's
    configuration cannot leave out alone, an overlay for Debian's source
    package, and a part of an RPM spec. A comment gives the reason of each
    choice. The folder is written completely or not at all. Needs no cloud.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the folder, and what the plan has."""
        _add_options(parser)
        parser.add_argument(
            "--output",
            metavar="<folder>",
            required=True,
            help="Folder to write; must be empty, or not exist yet.",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Make the plan, then write it."""
        plan = _plan(parsed_args)
        folder = pathlib.Path(os.path.abspath(parsed_args.output))
        try:
            _write(folder, files.files(plan))
        except OSError as error:
            raise exceptions.CommandError(
                output.unwritable(folder, error)
            ) from error
        for line in notes(plan):
            self.say(line)
        self.say(f"Written: {folder}, see README.rst there")


def _write(folder: pathlib.Path, texts: dict[str, str]) -> None:
    """Put a new folder in place in one step: whole, or not at all.

    :raises CommandError: if it is there already, and not empty
    :raises OSError: if it could not be done; what was there is untouched
    """
    if not folder.parent.is_dir():
        raise exceptions.CommandError(
            f"{folder}: there is no folder {folder.parent}"
        )
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise exceptions.CommandError(f"{folder} is not a folder")
    if folder.exists() and any(folder.iterdir()):
        raise exceptions.CommandError(
            f"{folder} is not empty; remove it, or name another folder"
        )
    new = tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent)
    made = pathlib.Path(new, "new")
    try:
        for name, text in texts.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        # This replaces an empty folder, but not one with files.
        made.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
