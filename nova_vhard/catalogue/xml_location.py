# SPDX-License-Identifier: Apache-2.0
"""The shape of a place in the XML of a libvirt domain."""

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Values by the architecture of the guest; under the empty name those of
#: every other one.
ByArchitecture = Mapping[str, tuple[str, ...]]
Words = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class XmlPlace:
    """Elements of a domain, each of which is a device of one kind.

    :ivar path: of the elements below ``<domain>``, as ElementTree takes it
    :ivar value: where an element has its value: ``@bus``, ``target/@bus``,
        the name of a child for its text, or empty for its own text; several,
        the first of which counts, are parted by a ``|``. None where the value
        is ``true`` because the element is there
    :ivar only: attribute of the elements to the values of it that count
    :ivar but: attribute of the elements to the values of it that do not
    :ivar source: what the name of their source must end with
    :ivar but_source: what the name of their source must not end with
    :ivar spec: extra spec of the server's flavor that has the value, since
        the element has none
    :ivar count: whether the value is how many such elements there are
    :ivar missing: architecture to the value that libvirt takes where there
        is none; without that it cannot be known
    :ivar absent: the value that QEMU takes where there is no such element;
        first another place of the domain, and the pattern that the value of
        that one has to match for it
    :ivar added: values that libvirt or Nova add by themselves, so that
        nobody asked for them
    :ivar of_host: whether ``added`` is by the architecture of the host
    :ivar words: libvirt's word to what a policy may call it, the word that
        it is reported by first
    :ivar families: beginning of a value to the name of all such values
    """

    path: str
    value: str | None = ""
    only: Words = field(default_factory=dict)
    but: Words = field(default_factory=dict)
    source: str = ""
    but_source: str = ""
    spec: str = ""
    count: bool = False
    missing: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, str, str] | None = None
    added: ByArchitecture = field(default_factory=dict)
    of_host: bool = False
    words: Words = field(default_factory=dict)
    families: Mapping[str, str] = field(default_factory=dict)

    def names(self, value: str) -> tuple[str, ...]:
        """Return what a policy may call a value, the usual word first."""
        for start, family in self.families.items():
            if value.startswith(start):
                return family, value
        return self.words.get(value, (value,))
