# SPDX-License-Identifier: Apache-2.0
"""Controls of other guides that correspond to host checks.

The map is in controls.yaml, which other programs can read too.
"""

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True)
class Controls:
    """Controls of other guides for one check.

    :ivar nist: controls of NIST SP 800-53, as OSCAL spells them
    :ivar bsi: controls of BSI's Grundschutz++, as its catalog spells them
    :ivar iso: numbers of ISO/IEC 27001:2022 Annex A
    :ivar scs: standard of the Sovereign Cloud Stack; empty for none
    :ivar vmware: subject in VMware's guide; empty for none
    """

    nist: list[str]
    bsi: list[str]
    iso: list[str]
    scs: str = ""
    vmware: str = ""


_DATA: Mapping[str, Any] = yaml.safe_load(
    (importlib.resources.files(__package__) / "controls.yaml").read_bytes()
)

#: Name of a check to what it corresponds to.
CONTROLS = {name: Controls(**each) for name, each in _DATA["checks"].items()}

#: A field of Controls to the title and the address of its OSCAL catalog.
CATALOGS: Mapping[str, Mapping[str, str]] = _DATA["catalogs"]

#: A control of NIST to what a finding about it is about: the id of its
#: assessment objective (``_obj``) or of its statement (``_smt``).
TARGETS: Mapping[str, str] = _DATA["targets"]
