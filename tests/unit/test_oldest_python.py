# SPDX-License-Identifier: Apache-2.0
"""What Python 3.11 refuses when it imports a module, and later ones take."""

import dataclasses
import importlib
import pkgutil
from types import MappingProxyType

import nova_vhard


def test_no_field_has_a_default_without_a_hash():
    # MappingProxyType has one since Python 3.12.
    defaults = []
    for info in pkgutil.walk_packages(nova_vhard.__path__, "nova_vhard."):
        module = importlib.import_module(info.name)
        defaults += (
            (info.name, field.name, type(field.default))
            for kind in vars(module).values()
            if isinstance(kind, type) and dataclasses.is_dataclass(kind)
            for field in dataclasses.fields(kind)
        )
    assert not [each for each in defaults if each[2] is MappingProxyType]
    assert len(defaults) > 100
