# SPDX-License-Identifier: Apache-2.0
"""Describe how to fix a refused request, with commands to copy."""

from collections.abc import Iterator, Mapping

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common.commands import command, options, plain
from nova_vhard.common.text import clean, fit
from nova_vhard.explain.draft import (
    Draft,
    Place,
    copied,
    is_foreign,
)
from nova_vhard.explain.search import MOST_VIOLATIONS, Fix
from nova_vhard.policy.hardware import (
    BLOCK_DEVICE,
    FLAVOR,
    IMAGE,
    SERVER,
)
from nova_vhard.policy.subject import (
    MOVE,
    SNAPSHOT,
    UPDATE,
    UPLOAD,
)
from nova_vhard.policy.verdict import Violation

#: Maximum size of the fixes in an answer, in bytes.
LIMIT = 8 * 1024

# Disk formats that require the same container format.
_SAME_CONTAINER = frozenset(("aki", "ami", "ari"))


def words(fix: Fix) -> str:
    """Return the remediation for violations, or "" if none is known.

    :param fix: the result of the search for these violations
    """
    places: dict[Place, dict[str, str | None]] = {}
    for (place, name), value in fix.draft.edits.items():
        places.setdefault(place, {})[name] = value
    clauses: list[str] = []
    for place, edits in places.items():
        clauses += _clauses(fix.draft, place, edits)
    for violation in fix.left[:MOST_VIOLATIONS]:
        clauses += _without_a_change(violation, fix)
    return fit(list(dict.fromkeys(clauses)), LIMIT)


def _without_a_change(violation: Violation, fix: Fix) -> Iterator[str]:
    """Yield the remediation for a violation that no edit fixes."""
    cause = violation.cause
    choice = cause.choice
    if not cause.what:
        yield from filter(None, [cause.fix])
    elif choice is None:
        # An extra spec of the flavor, or a port.
        name = clean(cause.where.rpartition(" ")[2])
        if cause.where.startswith(FLAVOR):
            way = _other_flavor(fix.draft, f"without {name}")
        else:
            words = "--network", "NETWORK", "--vnic-type", "normal", "my-port"
            create = command("port", "create", *words)
            way = f"run {create}, and name my-port instead of port {name}"
        yield f"{way}, or ask the cloud's operator to allow it"
    elif choice.origin == SERVER:
        yield (
            f"Nova does not change the {clean(cause.where)}: create a new "
            "server with an allowed device"
        )
    elif KINDS[cause.what].fix:
        yield KINDS[cause.what].fix
    elif fix.complete:
        yield (
            f"no change of {clean(choice.setting)} makes this request "
            "acceptable; ask the cloud's operator"
        )


def _clauses(
    draft: Draft, place: Place, edits: Mapping[str, str | None]
) -> Iterator[str]:
    """Yield instructions to make the edits of one place."""
    subject, (origin, holder) = draft.subject, place
    image = subject.image if origin == IMAGE else None
    target = plain(holder.id or image, origin.upper())
    new = subject.operation == UPLOAD and holder.id is None
    where = "the upload" if new else f"{origin} {target}"
    where = "the request" if origin == BLOCK_DEVICE else where
    kept = holder.stored or subject.operation == MOVE
    every = kept or is_foreign(place, subject)
    # Commands cannot set an entry in a list of block devices.
    whole = {k: v for k, v in edits.items() if every or "[" not in k}
    given = [(name, value) for name, value in whole.items() if value]
    gone = [name for name, value in whole.items() if value is None]
    settings = _listed([f"{name}={value}" for name, value in given])
    typed = f"`{' '.join(options('--property', given))}`"
    without = f"without {_listed(gone, 'or')}"
    if not whole or origin == BLOCK_DEVICE:
        pass
    elif origin == FLAVOR:
        yield _other_flavor(draft, without)
    elif subject.operation == SNAPSHOT:
        where = "the metadata of the new image"
        left = f"remove {_listed(gone)} from {where}"
        yield _both(given, f"set {settings} in {where}", ", and ", gone, left)
    elif subject.operation == UPDATE:
        make = f"make the change with {typed}"
        left = f"do not change {_listed(gone)}"
        yield _both(given, make, ", and ", gone, left)
    elif kept:
        asks = _both(given, f"with {settings}", " and ", gone, without)
        yield (
            "Nova keeps the image properties that a server was built with: "
            "rebuild the server (this erases its root disk), or create a new "
            f"one, from another image {asks}"
        )
    elif new:
        asks = _both(given, f"with {typed}", " and ", gone, without)
        yield f"upload it {asks}"
    elif every:
        # Only the owner can change an image, but every user who can see it can
        # download it.
        image = plain(holder.id, "IMAGE")
        disk = plain(holder.disk_format, "DISK_FORMAT")
        save = command("image", "save", "--file", "my-copy.img", image)
        create = command(
            *("image", "create", "--file", "my-copy.img"),
            *("--disk-format", disk, "--container-format"),
            disk if disk in _SAME_CONTAINER else "bare",
            *options("--property", copied(draft.documents[place])),
            "my-copy",
        )
        yield (
            f"only project {plain(holder.project, 'PROJECT')} can change "
            f"image {image}; to use your own copy, which has only the "
            f"properties shown, run {save}, then {create}, and use my-copy "
            "instead"
        )
    else:
        option = "--property" if origin == IMAGE else "--image-property"
        run = command(origin, "set", *options(option, given), target)
        unset = [f"{option} {name}" for name in gone]
        then = command(origin, "unset", *unset, target)
        yield f"run {_both(given, run, ', then ', gone, then)}"
    for name, value in edits.items():
        if name not in whole or origin == BLOCK_DEVICE:
            make = f"set {clean(name)} to {clean(value)} in {where}"
            yield make if value else f"remove {clean(name)} from {where}"


def _other_flavor(draft: Draft, without: str) -> str:
    """Return an instruction that names the refused flavor."""
    # Only commands have backticks (``messages.describe``).
    flavor = clean(draft.subject.flavor or "FLAVOR").replace("`", "'")
    return f"choose a flavor other than {flavor}, {without}"


def _both(
    first: object, text: str, separator: str, second: object, other: str
) -> str:
    """Join two texts, each only if its condition is true."""
    return separator.join(
        each for is_there, each in ((first, text), (second, other)) if is_there
    )


def _listed(names: list[str], last: str = "and") -> str:
    """Return names as a phrase: a, b and c."""
    return f" {last} ".join(", ".join(map(clean, names)).rsplit(", ", 1))
