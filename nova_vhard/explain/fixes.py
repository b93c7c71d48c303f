# SPDX-License-Identifier: Apache-2.0
"""How to mend violations, in words and commands that can be followed.

What stands in one image is mended by one command, whatever number of rules it
breaks.
"""

from collections.abc import Iterable, Iterator, Sequence

from nova_vhard.catalogue.devices import KINDS, OF_FILE
from nova_vhard.catalogue.passthrough import FIXES as PASSTHROUGH_FIXES
from nova_vhard.common.commands import command, options, plain
from nova_vhard.common.text import clean, fit
from nova_vhard.policy.copies import how_to_copy
from nova_vhard.policy.hardware import (
    BLOCK_DEVICE,
    DOMAIN,
    FLAVOR,
    IMAGE,
    PASSTHROUGH,
    SERVER,
)
from nova_vhard.policy.places import Place, gather, list_of
from nova_vhard.policy.remedy import Change, Properties, is_foreign
from nova_vhard.policy.subject import MOVE, SNAPSHOT, UPLOAD, Subject
from nova_vhard.policy.verdict import Message, Violation

#: What to do about what a guest is started with.
ON_HOST = (
    "look at what the server's image, flavor, volumes and ports ask for "
    "('openstack vhard server audit'): what Nova keeps of them goes with a "
    "rebuild or with the server"
)

#: Bytes of an answer that its fixes may take up.
LIMIT = 8 * 1024


def how_to_fix(violations: Sequence[Violation], subject: Subject) -> str:
    """Return how to mend violations; empty where their texts say it.

    :param subject: who asked, and in the course of what
    """
    clauses = [
        clause
        for place in gather(violations)
        for clause in _clauses(place, subject)
    ]
    clauses += _without_a_setting(violations)
    return fit(list(dict.fromkeys(clauses)), LIMIT)


def _without_a_setting(violations: Iterable[Violation]) -> Iterator[str]:
    """Yield what to do where no setting mends it."""
    for violation in violations:
        cause = violation.cause
        if isinstance(cause, Message):
            yield from filter(None, [cause.fix])
        elif cause.origin == DOMAIN:
            yield ON_HOST
        elif cause.origin == PASSTHROUGH:
            yield PASSTHROUGH_FIXES[cause.kind]
        elif cause.kind in OF_FILE:
            yield KINDS[cause.kind].fix
        elif not violation.changes and not violation.touched:
            yield (
                f"do without what {clean(cause.setting)} is for, or ask the "
                "cloud's operator"
            )


def _clauses(place: Place, subject: Subject) -> Iterator[str]:
    if not place.whole:
        yield _of_change(place, subject)
    elif place.origin == FLAVOR:
        yield f"choose a flavor without {_listed(place.changes, 'or')}"
    elif place.origin == BLOCK_DEVICE:
        yield from _entries(place.changes.values(), "the request")
    elif place.origin == SERVER:
        yield from map(_kept, place.changes.values())
    elif place.holder.stored or subject.operation == MOVE:
        yield _stored(place)
    elif subject.operation == UPLOAD and place.holder.id is None:
        yield from _upload(place)
    elif is_foreign(place.origin, place.holder, subject):
        given = {**place.carried, **dict(place.values)}
        yield how_to_copy(place.holder, tuple(given.items()))
    else:
        yield from _edit(place, subject)


def _listed(names: Iterable[str], last: str = "and") -> str:
    *most, final = map(clean, names)
    return f"{', '.join(most)} {last} {final}" if most else final


def _settings(properties: Properties) -> str:
    return _listed(f"{name}={value}" for name, value in properties)


def _options(properties: Properties) -> str:
    return f"`{' '.join(options('--property', properties))}`"


def _of_change(place: Place, subject: Subject) -> str:
    """Say how to send a change of an image, or metadata of a new one.

    What the image has already is not the matter.
    """
    if subject.operation == SNAPSHOT:
        new = "the metadata of the new image"
        make, leave = f"set {{}} in {new}", f"leave {{}} out of {new}"
        given = _settings(place.values) if place.values else ""
    else:
        make, leave = "make the change with {}", "leave {} as it is"
        given = _options(place.values) if place.values else ""
    left = leave.format(_listed(place.unsettable or place.touched))
    if not given:
        return left
    both = "and" if place.unsettable else "or"
    return f"{make.format(given)}, {both} {left}"


def _entries(changes: Iterable[Change], what: str) -> Iterator[str]:
    """Yield what to write into lists of block devices."""
    for change in changes:
        name = list_of(change.name)
        part = clean(change.name.removeprefix(name))
        if not part:
            yield f"leave {clean(name)} out of {what}"
        elif change.value is None:
            yield f"in {clean(name)} of {what} leave {part} out"
        else:
            value = clean(change.value)
            yield f"in {clean(name)} of {what} set {part} to {value}"


def _kept(change: Change) -> str:
    """Say what to do about a device that a server keeps."""
    new = "without it"
    if change.name and change.value:
        new = f"from an image with {change.name}={clean(change.value)}"
    return (
        f"Nova keeps the {clean(change.where)} as long as the server lives: "
        f"create a new server {new}"
    )


def _stored(place: Place) -> str:
    """Say what to do about properties that Nova keeps with a server."""
    parts = [f"with {_settings(place.values)}"] if place.values else []
    if place.dropped:
        parts.append(f"without {_listed(place.dropped, 'or')}")
    return (
        "Nova keeps what the image of a server said when it was built: "
        "rebuild the server, which writes its root disk anew, or create "
        f"another one, from an image {' and '.join(parts)}"
    )


def _upload(place: Place) -> Iterator[str]:
    parts = [f"with {_options(place.values)}"] if place.values else []
    if place.dropped:
        parts.append(f"without {_listed(place.dropped, 'or')}")
    if parts:
        yield f"upload it {' and '.join(parts)}"
    yield from _entries(place.entries, "the upload")


def _edit(place: Place, subject: Subject) -> Iterator[str]:
    """Yield the commands that edit an image, or a volume's metadata."""
    what = place.origin
    target = plain(place.holder.id, what.upper())
    option = "--image-property"
    if what == IMAGE:
        option = "--property"
        target = plain(place.holder.id or subject.image, target)
    commands = []
    if place.values:
        given = options(option, place.values)
        commands.append(command(what, "set", *given, target))
    if place.dropped:
        given = [f"{option} {name}" for name in place.dropped]
        commands.append(command(what, "unset", *given, target))
    if commands:
        yield f"run {', then '.join(commands)}"
    yield from _entries(place.entries, f"{what} {target}")
