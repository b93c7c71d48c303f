# SPDX-License-Identifier: Apache-2.0
"""The shape of an entry in the catalogue of device kinds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Values that mean that the guest has no such device. If Nova picks one of
#: them, nothing is judged, unless the image must set the value explicitly.
NO_DEVICE = frozenset(("0", "disabled", "false", "none"))

_TRUE = frozenset(("1", "t", "true", "on", "y", "yes"))
_BOOLEANS = _TRUE | {"0", "f", "false", "off", "n", "no"}


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text: how the catalogue writes lists of names."""
    return tuple(text.split())


@dataclass(frozen=True)
class DeviceKind:
    """One thing that Nova lets somebody choose about a guest's hardware.

    :ivar name: name of the rule in the policy file, ``disk_bus``
    :ivar title: what a person calls it, ``disk bus``
    :ivar why: why a policy restricts it, in a few words
    :ivar needs: what the guest needs after a change, or what it can use
        instead; not an instruction, because the fix of a refusal gives it
    :ivar fix: the instruction if no change of a setting fixes a refusal
    :ivar values: the values that Nova knows; empty where any text goes
    :ivar value_type: ``enum``, ``text``, ``bool`` or ``int``
    :ivar image_properties: Glance properties that choose it
    :ivar extra_specs: flavor extra specs that choose it
    :ivar block_device: whether a block device mapping can choose it
    :ivar aliases: legacy spelling, in lower case, to the value of today
    :ivar fold_case: whether Nova reads the value in any case
    :ivar default: value that Nova uses for every guest if none is set; None
        if it depends on the guest or is unknown
    :ivar unset: if there is no default: text about what happens without a
        value
    :ivar of_file: whether it is about the booted file itself. It then does
        not apply to a server that is later built from another file
    """

    name: str
    title: str
    why: str
    needs: str = ""
    fix: str = ""
    values: tuple[str, ...] = ()
    value_type: str = "enum"
    image_properties: tuple[str, ...] = ()
    extra_specs: tuple[str, ...] = ()
    block_device: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)
    fold_case: bool = False
    default: str | None = None
    unset: str = "the host decides"
    of_file: bool = False

    def canonical(self, value: object) -> str:
        """Return a value as Nova would compare it.

        A value that Nova would not accept is returned as it is: it is in no
        list of allowed values, so that the policy refuses it.

        :param value: what an image, a flavor or a policy file says
        """
        text = value if isinstance(value, str) else str(value)
        if self.value_type == "bool":
            # Nova's FlexibleBoolean: any other word is false.
            return "true" if text.strip().lower() in _TRUE else "false"
        if self.value_type == "int":
            try:
                return str(int(text))
            except ValueError:
                return text
        if not self.fold_case:
            return text
        folded = text.lower()
        return self.aliases.get(folded, folded)

    def listed(self, value: object) -> str:
        """Return a value of a policy file, as ``canonical`` does.

        ``*`` stays what it is: Nova would read it as false.
        """
        return "*" if value == "*" else self.canonical(value)


def is_boolean(value: object) -> bool:
    """Return whether a value says true or false, and not just nothing."""
    return str(value).strip().lower() in _BOOLEANS
