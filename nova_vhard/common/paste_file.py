# SPDX-License-Identifier: Apache-2.0
"""A service's paste file: whether the gate wraps the users' application.

The gate is a line ``filter-with`` in the section of the application that the
users' pipelines end in, so that it covers every pipeline, also those that an
operator adds. In the old form each pipeline named it; that counts, and ``add``
converts it. A line that the gate has nothing to do with stays as it is, byte
for byte, and ``remove`` undoes what ``add`` did.
"""

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

NAME = "vhard"
_FACTORY = "paste.filter_factory"
_WITH = "filter-with"
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
    :ivar after: filters that make the request's context; a pipeline that has
        one serves users
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
        raise PasteError(f"is not a paste file: {error}") from error
    return {name: dict(parser[name]) for name in parser.sections()}


def gates(sections: Sections, service: Service) -> frozenset[str]:
    """Return the names of the filters that are the service's gate."""
    return frozenset(
        name.removeprefix("filter:")
        for name, options in sections.items()
        if name.startswith("filter:")
        and options.get(_FACTORY) == service.factory
    )


def application(sections: Sections, pipeline: str) -> str:
    """Return the section of the application that a pipeline ends in."""
    name = pipeline.rsplit(maxsplit=1)[-1]
    kinds = (f"{kind}:{name}" for kind in ("app", "composite", "pipeline"))
    return next((kind for kind in kinds if kind in sections), name)


def guarded(sections: Sections, pipeline: str, service: Service) -> bool:
    """Return whether a pipeline has the gate where it can see a context.

    :param pipeline: filters and, last, the application
    """
    words = pipeline.split()[:-1]
    while words and words[0] not in service.after:
        words.pop(0)
    wrapper = sections.get(application(sections, pipeline), {}).get(_WITH)
    behind = {*words, wrapper} if words else set()
    return not gates(sections, service).isdisjoint(behind)


def unguarded(text: str, service: Service) -> list[str]:
    """Return the pipelines of users' requests that lack the gate.

    :returns: section and option of each
    :raises PasteError: if there is no such pipeline at all
    """
    sections = read(text)
    result = list(_pipelines(sections, service))
    if not result:
        raise PasteError(
            f"no pipeline has {' or '.join(service.after)}: is it the file "
            f"of {service.name}-api?"
        )
    return [
        place
        for place, value in result
        if not guarded(sections, value, service)
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
    """Return a paste file in which the gate wraps the users' application.

    A file that already has the gate everywhere is returned unchanged.

    :raises PasteError: if it cannot be done
    """
    names = gates(read(text), service)
    if not unguarded(text, service) and all(
        _unnamed(text, name) == text for name in names
    ):
        return text
    text = remove(text, service)
    sections = read(text)
    if f"filter:{NAME}" in sections:
        raise PasteError(
            f"[filter:{NAME}] already exists with another factory"
        )
    ends = {
        application(sections, value)
        for _, value in _pipelines(sections, service)
    }
    for name in ends:
        if _WITH in sections.get(name, {}):
            raise PasteError(f"[{name}] already has another {_WITH}")
        header = re.compile(rf"^\[{re.escape(name)}\].*\n", re.MULTILINE)
        text = header.sub(rf"\g<0>{_WITH} = {NAME}\n", text, count=1)
    end = "\n" if text.endswith("\n") else ""
    text += f"{'' if end else chr(10)}\n[filter:{NAME}]\n"
    text += f"{_FACTORY} = {service.factory}{end}"
    left = unguarded(text, service)
    if left:
        raise PasteError(f"cannot put it into {', '.join(left)}")
    return text


def remove(text: str, service: Service) -> str:
    """Return a paste file without the gate, in either form.

    :raises PasteError: if it is not a paste file
    """
    for name in gates(read(text), service):
        line = rf"^{_WITH}[ \t]*[=:][ \t]*{re.escape(name)}[ \t]*(\n|\Z)"
        text = re.sub(line, "", text, flags=re.MULTILINE)
        text = _without_section(_unnamed(text, name), f"filter:{name}")
    return text


def _without_section(text: str, name: str) -> str:
    """Cut out a section, and the blank line that set it off."""
    match = re.search(
        rf"^\[{re.escape(name)}\][^\n]*(?:\n(?!(?:[ \t]*\n)*[ \t]*\[)[^\n]*)*",
        text,
        re.MULTILINE,
    )
    if match is None:
        raise PasteError(f"[{name}] is indented: remove it by hand")
    before, behind = text[: match.start()], text[match.end() :]
    if behind:
        return before.rstrip("\n") + behind
    if match[0].endswith("\n"):
        return before[:-1] if before.endswith("\n\n") else before
    # A file that does not end with a newline did not do so before either.
    return before.removesuffix("\n").removesuffix("\n")


def _unnamed(text: str, name: str) -> str:
    """Return a paste file whose pipelines do not name a filter."""
    word = re.compile(rf"[ \t]{re.escape(name)}(?=\s|$)")
    lines = []
    section = ""
    for line in text.splitlines(keepends=True):
        header = _HEADER.match(line)
        if header:
            section = header[1]
        held = section.startswith(("composite:", "pipeline:"))
        other = line.lstrip().startswith(("#", ";", _WITH))
        lines.append(word.sub("", line) if held and not other else line)
    return "".join(lines)
