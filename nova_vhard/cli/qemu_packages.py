# SPDX-License-Identifier: Apache-2.0
"""Packaging of a minimal QEMU: a Debian overlay, and a part of an RPM spec.

Both build beside the distribution's own builds, from the same source, and
bring one binary, ``qemu-system-x86_64``, in place of the full package. Their
texts are the templates; a line ``@PATCH@`` is what a patch takes.
"""

import importlib.resources

#: What the packages are called.
PACKAGE = "qemu-system-x86-vhard"

_TEMPLATES = importlib.resources.files("nova_vhard.cli") / "templates/qemu"
# The build stops where the patch is there and was not applied.
_APPLIED = """\
	grep -q 'nova-vhard: no' hw/*/*.c || { \\
	    echo 'apply debian/patches first' >&2; exit 1; }
"""
#: Path of a file to what the patch takes in it.
_PATCHED = {
    "debian/nova-vhard.mk": _APPLIED,
    "debian/control.nova-vhard": "",
    "rpm/nova-vhard.spec.inc": "Patch900: types.patch\n",
}


def packaging(patched: bool) -> dict[str, str]:
    """Return the files of the packages: path to text.

    :param patched: whether there is a patch to apply
    """
    return {
        path: _template(path.rpartition("/")[2]).replace(
            "@PATCH@\n", patch if patched else ""
        )
        for path, patch in _PATCHED.items()
    }


def _template(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")
