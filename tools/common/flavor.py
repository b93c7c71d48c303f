# SPDX-License-Identifier: Apache-2.0
"""A flavor."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Flavor:
    """A flavor, as the operator made it."""

    id: str
    name: str
    memory_mb: int = 512
    root_gb: int = 1
    extra_specs: dict[str, str] = field(default_factory=dict)
