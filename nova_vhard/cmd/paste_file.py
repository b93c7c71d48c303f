# SPDX-License-Identifier: Apache-2.0
"""A service's paste file: which pipelines carry the gate; put it in, or out.

Text goes in and comes out: a line that the gate has nothing to do with stays
as it is, byte for byte, and ``remove`` undoes what ``add`` did.
"""

import configparser
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

NAME = "vhard"
_FACTORY = "paste.filter_factory"
_HEADER = re.compile(r"[ \t]*\[([^]]+)\]")

#: Section name to its options.
Sections = Mapping[str, Mapping[str, str]]


class PasteError(Exception):
    """A paste file cannot be used, or not be changed as asked."""


@dataclass(frozen=True)
class Service:
    """A service whose API has a gate.

    :ivar name: as the command has it
    :ivar factory: the gate, as a paste file names it
    :ivar after: filters that make the request's context; the gate stands
        behind the one that a pipeline has
    """

    name: str
    factory: str
    after: tuple[str, ...]


SERVICES = {
    item.name: item
    for item in (
        Service(
            "nova",
            "nova_vhard.gates.nova_api:filter_factory",
            ("keystonecontext",),
        ),
        Service(
            "glance",
            "nova_vhard.gates.glance_api:filter_factory",
            ("context", "unauthenticated-context"),
        ),
    )
}


def read(text: str) -> Sections:
    """Return the sections of a paste file.

    :raises PasteError: if paste could not read it either
    """
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(text)
    except configparser.Error as error:
        stated = " ".join(str(error).split())
        raise PasteError(f"is no paste file: {stated}") from error
    return {name: dict(parser[name]) for name in parser.sections()}


def gates(sections: Sections, service: Service) -> frozenset[str]:
    """Return the names of the filters that are the service's gate."""
    return frozenset(
        name.removeprefix("filter:")
        for name, options in sections.items()
        if name.startswith("filter:")
        and options.get(_FACTORY) == service.factory
    )


def guarded(pipeline: str, service: Service, names: frozenset[str]) -> bool:
    """Return whether a pipeline has the gate where it can see a context.

    :param pipeline: filters and, last, the application
    :param names: what ``gates`` returned
    """
    words = pipeline.split()[:-1]
    seen = False
    for word in words:
        seen = seen or word in service.after
        if seen and word in names:
            return True
    return False


def unguarded(text: str, service: Service) -> list[str]:
    """Return the pipelines of users' requests that lack the gate.

    :returns: section and option of each
    :raises PasteError: if there is no such pipeline at all
    """
    sections = read(text)
    names = gates(sections, service)
    result = list(_pipelines(sections, service))
    if not result:
        raise PasteError(
            f"no pipeline has {' or '.join(service.after)}: is it the file "
            f"of {service.name}-api?"
        )
    return [
        place for place, value in result if not guarded(value, service, names)
    ]


def _pipelines(
    sections: Sections, service: Service
) -> Iterator[tuple[str, str]]:
    for name, options in sections.items():
        if not name.startswith(("composite:", "pipeline:")):
            continue
        for option, value in options.items():
            if set(value.split()[:-1]) & set(service.after):
                yield f"[{name}] {option}", value


def add(text: str, service: Service) -> str:
    """Return a paste file with the gate in every pipeline of users.

    Adding it to a file that has it everywhere changes nothing.

    :raises PasteError: if it cannot be done
    """
    if not unguarded(text, service):
        return text
    text = remove(text, service)
    if f"filter:{NAME}" in read(text):
        raise PasteError(f"[filter:{NAME}] is something else already")
    anchors = "|".join(re.escape(item) for item in service.after)
    word = re.compile(rf"(?<=[\s=:])({anchors})(?=\s+\S|\s*$)")
    text = _each_pipeline(text, lambda line: word.sub(rf"\1 {NAME}", line))
    end = "\n" if text.endswith("\n") else ""
    text += f"{'' if end else chr(10)}\n[filter:{NAME}]\n"
    text += f"{_FACTORY} = {service.factory}{end}"
    left = unguarded(text, service)
    if left:
        raise PasteError(f"cannot put it into {', '.join(left)}")
    return text


def remove(text: str, service: Service) -> str:
    """Return a paste file without the gate.

    :raises PasteError: if it is no paste file
    """
    for name in gates(read(text), service):
        word = re.compile(rf"[ \t]{re.escape(name)}(?=\s|$)")
        text = _each_pipeline(text, functools.partial(word.sub, ""))
        text = _without_section(text, f"filter:{name}")
    return text


def _without_section(text: str, name: str) -> str:
    """Cut out a section, and the blank line that set it off."""
    match = re.search(
        rf"^\[{re.escape(name)}\][^\n]*(?:\n(?!(?:[ \t]*\n)*[ \t]*\[)[^\n]*)*",
        text,
        re.MULTILINE,
    )
    if match is None:
        raise PasteError(f"[{name}] is indented: take it out by hand")
    before, behind = text[: match.start()], text[match.end() :]
    if behind:
        return before.rstrip("\n") + behind
    if match[0].endswith("\n"):
        return before[:-1] if before.endswith("\n\n") else before
    # A file that does not end with a newline did not do so before either.
    return before.removesuffix("\n").removesuffix("\n")


def _each_pipeline(text: str, change: Callable[[str], str]) -> str:
    """Change the lines of sections that hold pipelines, comments apart."""
    lines = []
    section = ""
    for line in text.splitlines(keepends=True):
        header = _HEADER.match(line)
        if header:
            section = header[1]
        held = section.startswith(("composite:", "pipeline:"))
        comment = line.lstrip().startswith(("#", ";"))
        lines.append(change(line) if held and not comment else line)
    return "".join(lines)
