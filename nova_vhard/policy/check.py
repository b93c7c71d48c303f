# SPDX-License-Identifier: Apache-2.0
"""Find errors in a policy file, and entries that are probably wrong."""

import contextlib
import fnmatch
import re
from collections.abc import Iterator, Set
from typing import Any

import jsonschema
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.kinds import is_boolean
from nova_vhard.common.problems import Path, nearest
from nova_vhard.common.schema_errors import Fault, schema_faults, shown
from nova_vhard.common.text import quote
from nova_vhard.policy import release
from nova_vhard.policy.model import Values
from nova_vhard.policy.schema import SCHEMA

SELECTORS = ("projects", "domains", "images", "flavors", "roles", "servers")

#: Characters that make a value a pattern.
PATTERN = frozenset("*?[")

# Keystone's own ids have 32 digits. Ids from another identity back end, such
# as LDAP, have 64.
_KEYSTONE = "[0-9a-f]{32}|[0-9a-f]{64}"
#: Usual format of the ids in a policy, and its description.
_IDS = {
    "projects": (
        re.compile(_KEYSTONE),
        "32 hexadecimal digits in lower case, as in 'openstack project list'",
    ),
    "domains": (
        re.compile(f"default|{_KEYSTONE}"),
        "default, or 32 hexadecimal digits in lower case, as in 'openstack "
        "domain list'",
    ),
    "images": (
        re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        "a UUID in lower case with dashes, as in 'openstack image list'",
    ),
}


def faults(data: Any, complete: bool = False) -> Iterator[Fault]:
    """Yield the errors in a policy, each with its path.

    :param data: the content of a file
    :param complete: True if no other file is merged with it
    """
    if not isinstance(data, dict):
        yield (), 'must be a mapping with at least the key version: "1"'
        return
    wanted, versions = data.get("requires"), None
    if isinstance(wanted, str):
        with contextlib.suppress(InvalidSpecifier):
            versions = SpecifierSet(wanted)
    # An invalid specifier gives None here, and the schema below reports it.
    if versions is not None and (
        release.RUNNING is None or release.RUNNING not in versions
    ):
        # Skip the schema: the policy may have keys of a newer version.
        runs = release.RUNNING or "an unknown version"
        text = f"this policy needs nova-vhard {quote(wanted)} and {runs} runs"
        yield (
            ("requires",),
            f"{text}: upgrade nova-vhard and restart the service",
        )
        return
    # All errors at once: an operator who repairs a file one error at a time
    # reloads it, and each gate logs it, just as often.
    broken = set()
    for path, message in schema_faults(data, _VALIDATOR):
        broken.add(path)
        yield path, message
    yield from conflicts(_without(data, broken), complete)


def _without(part: Any, broken: Set[Path], path: Path = ()) -> Any:
    """Return content with None in place of each invalid value."""
    # None means "already reported". The conflict checks skip it, so that
    # one mistake gives one message.
    if path in broken:
        return None
    if isinstance(part, dict):
        return {
            key: _without(value, broken, (*path, key))
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [
            _without(value, broken, (*path, index))
            for index, value in enumerate(part)
        ]
    return part


def conflicts(data: dict[str, Any], complete: bool) -> Iterator[Fault]:
    """Yield conflicts between values that are valid on their own.

    :param data: content that matches the schema, with None in place of each
        invalid value
    :param complete: True if no other file is merged with it
    """
    for index, entry in enumerate(data.get("projects") or ()):
        # Without a selector the entry would match no project. The operator
        # expects the mode to apply to someone.
        if entry is not None and not {"projects", "domains"} & entry.keys():
            yield ("projects", index), "must name projects or domains"
    ids = set()
    for index, entry in enumerate(data.get("exemptions") or ()):
        place: Path = ("exemptions", index)
        if entry is None:
            continue
        # An exemption without a selector would apply to everybody.
        if not entry.keys() & set(SELECTORS):
            yield place, f"must name one of {', '.join(SELECTORS)}"
        elif entry.get("images") and "projects" not in entry:
            # POST /v2/images takes an ``id`` from the client. Without a
            # project, any user who creates an image with that id would have
            # the exemption.
            text = "anyone who uploads an image can choose its id"
            yield (*place, "images"), f"needs projects as well: {text}"
        name = entry.get("id")
        # Events and logs name an exemption by its id alone.
        if name and name in ids:
            yield (
                (*place, "id"),
                f"{quote(name)} is the ID of two exemptions",
            )
        ids.add(name)
    for kind, rule in (data.get("guest_devices") or {}).items():
        place = ("guest_devices", kind)
        if rule is None:
            continue
        # Not in the schema: a file that extends another may set only the mode.
        if complete and "allow" not in rule:
            yield (*place, "allow"), "is missing and must be a list of values"
        for old in rejected_replacements(kind, rule):
            text = f"{quote(rule['replace'][old])} must be in the allow list"
            yield (*place, "replace", old), text
        # Image signatures: another value could never match the file that was
        # signed.
        if KINDS[kind].of_file and rule.get("replace"):
            text = "must be removed: the image file was signed with this value"
            yield (*place, "replace"), text


def rejected_replacements(kind: str, rule: dict[str, Any]) -> list[str]:
    """Return the keys of ``replace`` whose values are not in ``allow``.

    :param rule: a rule in guest_devices; either key can be missing, and None
        replaces an invalid value
    """
    listed, known = rule.get("allow"), KINDS[kind]
    # Not reported: with an incomplete list the answer is not known.
    if listed is None or None in listed:
        return []
    allowed = Values(tuple(known.listed(value) for value in listed))
    return [
        old
        for old, new in (rule.get("replace") or {}).items()
        if new is not None and known.canonical(new) not in allowed
    ]


def warnings(data: dict[str, Any]) -> Iterator[Fault]:
    """Yield entries that do not look like an id, each with its path.

    Ids are compared literally: a name, or an id in upper case or with dashes,
    does not match. This is not an error, because an identity back end can use
    another format.

    :param data: the content of a valid file
    """
    for section in ("projects", "exemptions"):
        for index, entry in enumerate(data.get(section, ())):
            for key, (pattern, wanted) in _IDS.items():
                for number, name in enumerate(entry.get(key, ())):
                    # fullmatch, not match: with ``$`` an id with a newline at
                    # its end would pass, and match nothing.
                    if not pattern.fullmatch(name):
                        yield (
                            (section, index, key, number),
                            f"{quote(name)} does not look like an ID and "
                            f"probably matches nothing: expected {wanted}",
                        )


def deprecations(data: dict[str, Any]) -> Iterator[Fault]:
    """Yield what the next minor version calls an error, each with its path.

    From 1.0.0 on, a rule that becomes stricter is here for one minor version,
    and then in ``faults``: an upgrade does not invalidate a valid policy.

    :param data: the content of a valid file
    """
    yield from ()


def _device_value(
    _: Any, name: str, value: Any, __: Any
) -> Iterator[jsonschema.ValidationError]:
    kind = KINDS[name]
    text = kind.listed(value)
    wanted = ""
    if text == "*":
        pass
    elif kind.value_type == "int":
        # isascii as well: a superscript digit passes isdigit, and int() does
        # not read it.
        if not (text.isascii() and text.isdigit()):
            wanted = "must be a whole number"
    elif kind.value_type == "bool":
        if not is_boolean(value):
            wanted = "must be true or false"
    elif not kind.values:
        if not isinstance(value, str):
            wanted = "must be text: put it in quotes"
    elif text not in kind.values and not fnmatch.filter(kind.values, text):
        # A pattern must match at least one value that Nova knows. A typing
        # error in ``allow`` would refuse everything, one in an exemption would
        # permit nothing.
        near = nearest(value, kind.values)
        wanted = f"matches no {kind.name} that Nova knows{near}"
    if wanted:
        yield jsonschema.ValidationError(f"{shown(value)} {wanted}")


def _version_specifier(
    _: Any, __: Any, value: Any, ___: Any
) -> Iterator[jsonschema.ValidationError]:
    try:
        SpecifierSet(str(value))
    except InvalidSpecifier:
        yield jsonschema.ValidationError(
            f'{quote(value)} is not a version specifier, such as ">=1.0"'
        )


# Without a format checker, jsonschema ignores ``format``, and any text would
# be a date of ``until``.
_VALIDATOR = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {
        "device_value": _device_value,
        "version_specifier": _version_specifier,
    },
)(SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
