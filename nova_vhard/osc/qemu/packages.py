# SPDX-License-Identifier: Apache-2.0
"""Packaging of a minimal QEMU: a Debian overlay, and a part of an RPM spec.

Both build beside the distribution's own builds, from the same source, and
bring one binary, ``qemu-system-x86_64``, in place of the full package. Their
texts are the templates; their line ``@PATCH@`` is for a patch, if any.
"""

import importlib.resources

#: What the packages are called.
PACKAGE = "qemu-system-x86-vhard"

_TEMPLATES = importlib.resources.files("nova_vhard.osc.qemu") / "templates"
_FILES = (
    "debian/nova-vhard.mk",
    "debian/control.nova-vhard",
    "rpm/nova-vhard.spec.inc",
)
_PATCH = "Patch900: types.patch\n"


def packaging(patched: bool) -> dict[str, str]:
    """Return the files of the packages: path to text.

    :param patched: whether there is a patch to apply
    """
    return {
        path: _template(path.rpartition("/")[2]).replace(
            "@PATCH@\n", _PATCH if patched else ""
        )
        for path in _FILES
    }


def _template(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")
