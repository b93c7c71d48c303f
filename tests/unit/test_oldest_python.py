# SPDX-License-Identifier: Apache-2.0
"""What Python 3.11 refuses when it imports a module, and later ones take."""

import dataclasses
import importlib
import pkgutil
from types import MappingProxyType

import nova_vhard


def test_no_field_has_a_default_without_a_hash():
    # MappingProxyType has one since Python 3.12.
    seen = 0
    for info in pkgutil.walk_packages(nova_vhard.__path__, "nova_vhard."):
        module = importlib.import_module(info.name)
        for kind in vars(module).values():
            if not isinstance(kind, type) or not dataclasses.is_dataclass(
                kind
            ):
                continue
            for field in dataclasses.fields(kind):
                seen += 1
                assert not isinstance(field.default, MappingProxyType), (
                    f"{info.name}: {kind.__name__}.{field.name}"
                )
    assert seen > 100
