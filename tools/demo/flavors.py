# SPDX-License-Identifier: Apache-2.0
"""The flavors of the demo's cloud."""

from common.flavor import Flavor
from demo import machines


def _with(card):
    return {"pci_passthrough:alias": f"{card.alias}:1"}


TINY = Flavor("1", "m1.tiny")
SMALL = Flavor("2", "m1.small", 2048, 20)
GPU = Flavor("3", "g1.tiny", extra_specs=_with(machines.GPU))
FPGA = Flavor("4", "f1.tiny", extra_specs=_with(machines.FPGA))
CRYPTO = Flavor("5", "c1.tiny", extra_specs=_with(machines.CRYPTO))

FLAVORS = (TINY, SMALL, GPU, FPGA, CRYPTO)
