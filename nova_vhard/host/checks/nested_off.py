# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-34: guests cannot be hypervisors."""

import re

from nova_vhard.host import module_parameters
from nova_vhard.host.check import (
    Answer,
    Check,
    failed,
    passed,
    unknown,
)
from nova_vhard.host.host import Host
from nova_vhard.host.platform import Platform, of

# Of Intel's, AMD's, Power's and IBM Z's module.
_BY_MODULE = (
    "/sys/module/kvm_intel/parameters/nested",
    "/sys/module/kvm_amd/parameters/nested",
    "/sys/module/kvm_hv/parameters/nested",
    "/sys/module/kvm/parameters/nested",
)
# Of AMD's and Z's modules it is a number, of which each but 0 is yes.
_ON, _OFF = re.compile(r"Y|-?0*[1-9][0-9]*"), ("N", "0")

_ARM = "kvm-arm.mode"


class NestedOff(Check):
    """KVM gives guests no virtualization of their own.

    =========  ===========================================================
    PASS       the module of KVM that is loaded has it off
    FAIL       it has it on
    UNKNOWN    none is loaded, or it does not say
    =========  ===========================================================

    Source: kvm-intel.nested, kvm-amd.nested and kvm-arm.mode in
    Documentation/admin-guide/kernel-parameters.txt of the kernel.
    """

    name = "nested_off"
    id = "Check-Virt-34"
    title = "Nested virtualization is off"
    guide = (
        "Beyond the guide: nested virtualization is a large part of KVM "
        "that only guests with their own virtual machines need"
    )
    meaning = (
        "Nested virtualization is disabled in KVM, so a guest cannot reach "
        "this code."
    )
    remediation = (
        "Set options kvm_intel nested=0 and options kvm_amd nested=0 in "
        "/etc/modprobe.d, and reboot; on Arm boot without "
        "kvm-arm.mode=nested."
    )

    def answer(self, host: Host) -> Answer:
        """Judge the parameter of the module that is loaded."""
        root = host.root
        read = {
            path: text
            for path in _BY_MODULE
            # A missing file is a module that is not loaded, if /sys/module has
            # any.
            if (text := root.maybe(path, beside=module_parameters.MODULES))
        }
        root.note(*(f"{path}: {text}" for path, text in read.items()))
        # One module is enough. A text that is not understood is neither on nor
        # off.
        if any(map(_ON.fullmatch, read.values())):
            on = [
                path.split("/")[3]
                for path, text in read.items()
                if _ON.fullmatch(text)
            ]
            options = " and ".join(
                f"options {module} nested=0" for module in on
            )
            kernel = " ".join(f"{module}.nested=0" for module in on)
            return failed(
                "nested virtualization is on",
                f"Set {options} in /etc/modprobe.d, or boot with {kernel} "
                "if it is built into the kernel, and reboot.",
            )
        if read and all(text in _OFF for text in read.values()):
            return passed("nested virtualization is off")
        if not read and of(root) is Platform.ARM:
            # Arm's KVM nests by the kernel command line alone. The kernel
            # takes quotes away, around all of it or around the value.
            words = (x.replace('"', "") for x in module_parameters.words(root))
            modes = [
                word
                for word in words
                if word.replace("_", "-").startswith(f"{_ARM}=")
            ]
            root.note(
                f"{module_parameters.CMDLINE}: {_ARM}: {len(modes)} times",
                *(f"{module_parameters.CMDLINE}: {word}" for word in modes),
            )
            # The kernel takes the last one. The check takes any of them, to be
            # careful.
            if any(word.endswith("=nested") for word in modes):
                return failed(
                    "nested virtualization is on",
                    "Boot without kvm-arm.mode=nested.",
                )
            return passed("nested virtualization is off")
        # Not a PASS: the module can be loaded at any time, and most of them
        # have nesting on by default.
        return unknown(
            "no KVM module is in /sys/module",
            "Load the KVM module for this processor (kvm_intel, kvm_amd, "
            "kvm_hv or kvm): its parameter is visible only then. Without "
            "it, guests are emulated.",
        )
