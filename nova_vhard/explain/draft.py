# SPDX-License-Identifier: Apache-2.0
"""The documents that a request is read from, with edits that are tried out.

A document is what a user can edit: the properties of an image, the image
metadata of a volume, the extra specs of a flavor, the body of a request.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nova_vhard.common.commands import is_plain
from nova_vhard.policy.hardware import (
    BLOCK_DEVICE,
    FLAVOR,
    IMAGE,
    NOBODY,
    Holder,
)
from nova_vhard.policy.subject import ATTACH, Subject
from nova_vhard.request.image import READ
from nova_vhard.request.lookups import (
    Body,
    Flavor,
    Image,
    LookupFailed,
    NotFound,
    Server,
)
from nova_vhard.request.nova_api import section

Document = Mapping[str, Any]
#: Where a document is from, and which image or volume it is.
Place = tuple[str, Holder]
#: A place, and a name in it: ``hw_disk_bus`` or ``mappings[1].disk_bus``.
Setting = tuple[Place, str]
#: New values. None removes a setting; of a change it keeps the old value.
Edits = Mapping[Setting, str | None]


class NotAnswered(Exception):
    """Raised when a look-up finds nothing: then no fix is searched."""


def is_foreign(place: Place, subject: Subject) -> bool:
    """Return True if a document is the image of another project."""
    owners = {place[1].project, subject.project}
    return place[0] == IMAGE and None not in owners and len(owners) > 1


def entries(value: Any) -> list[Any]:
    """Return a list of block devices; an empty one if it is unreadable."""
    try:
        value = json.loads(value) if isinstance(value, str | bytes) else value
    except (ValueError, RecursionError):
        return []
    return list(value) if isinstance(value, list | tuple) else []


@dataclass
class Draft:
    """The documents of one request, edited.

    :ivar answers: what look-ups have answered, by method and id
    :ivar documents: those that the readers asked for, as edited
    :ivar before: of each document that is a change: the image as it is
    """

    subject: Subject
    edits: Edits = field(default_factory=dict)
    answers: dict[Any, Any] = field(default_factory=dict)
    documents: dict[Place, Document] = field(default_factory=dict)
    before: dict[Place, Document] = field(default_factory=dict)

    def of(
        self,
        origin: str,
        holder: Holder,
        document: Document,
        before: Document | None = None,
    ) -> Document:
        """Return a document as edited.

        :param before: of a change of an image: the image as it is
        """
        place = origin, holder
        edits = {
            name: v for (at, name), v in self.edits.items() if at == place
        }
        edited = dict(document)
        if edits and is_foreign(place, self.subject):
            # Only its owner can edit it. The fix is a copy, which has the
            # properties that ``openstack image create`` is given.
            edited = dict(copied(document))
        for name, value in edits.items():
            old = None if before is None else before.get(name)
            _edit(edited, name, old if value is None else value)
        # A list is a text again, which may be too long to be read.
        edited |= {
            name: json.dumps(value)
            for name, value in edited.items()
            if isinstance(value, list)
            and isinstance(document.get(name), str | bytes)
        }
        self.documents[place] = edited
        if before is not None:
            self.before[place] = before
        return edited

    def image(self, image: Image, before: Image | None = None) -> Image:
        """Return an image as edited."""
        properties = self.of(
            image.origin,
            image.holder,
            image.properties,
            None if before is None else before.properties,
        )
        return replace(image, properties=properties)

    def touched(self, names: frozenset[str]) -> frozenset[str]:
        """Return the names that a change touches once it is edited."""
        return names.union(name for _, name in self.edits).difference(
            name for (_, name), value in self.edits.items() if value is None
        )

    def lookups(self, find: Any) -> Any:
        """Return look-ups whose documents are those of this draft."""
        return _Lookups(find, self)


def copied(document: Document) -> list[tuple[str, str]]:
    """Return the properties that a copy of an image is given.

    A value that a shell would not take as it is is not in a command.
    """
    return [
        (name, str(document[name]))
        for name in sorted(READ & document.keys() - {"disk_format"})
        if is_plain(str(document[name]))
    ]


def _edit(document: dict[str, Any], name: str, value: Any) -> None:
    """Set or remove a property, or a key of an entry of a list."""
    listed, bracket, rest = name.partition("[")
    if bracket and listed in document:
        index, _, key = rest.partition("]")
        items = entries(document[listed])
        entry = items[int(index)]
        # An entry that cannot be read is replaced by one that says nothing.
        items[int(index)] = dict(entry) if isinstance(entry, Mapping) else {}
        _edit(items[int(index)], key[1:], value)
        document[listed] = items
    elif value is None:
        document.pop(name, None)
    elif not bracket:
        document[name] = value


@dataclass
class _Lookups:
    """nova_vhard.request.lookups.Lookups with the documents of a draft.

    Each look-up is made once in a search; its answer is edited afterwards.
    """

    _find: Any
    _draft: Draft

    def __getattr__(self, name: str) -> Any:
        """Return a look-up."""

        def look_up(*asked: Any) -> Any:
            # Not by what was looked up before, which is edited.
            key = name, *(i for i in asked if isinstance(i, str | int))
            answers = self._draft.answers
            try:
                if key not in answers:
                    answer = getattr(self._find, name)(*asked)
                    lazy = isinstance(answer, Iterator)
                    answers[key] = list(answer) if lazy else answer
            except (NotFound, LookupFailed) as error:
                raise NotAnswered from error
            return self._edited(answers[key])

        return look_up

    def body(self, body: Body) -> Body:
        """Return the body of POST /servers, edited; any other as it is."""
        server = section(body, "server")
        edited = self._draft.of(BLOCK_DEVICE, NOBODY, server)
        return {**body, "server": edited} if server else body

    def _edited(self, answer: Any) -> Any:
        if isinstance(answer, list):
            return [self._edited(each) for each in answer]
        if isinstance(answer, Image):
            return self._draft.image(answer)
        if isinstance(answer, Flavor):
            specs = self._draft.of(FLAVOR, NOBODY, answer.extra_specs)
            return replace(answer, extra_specs=specs)
        operation = self._draft.subject.operation
        if isinstance(answer, Server) and operation == ATTACH:
            # Elsewhere it says what the server has, and no edit changes that:
            # a fix must not be a better excuse.
            stored = self._draft.image(answer.stored())
            if stored.properties != answer.properties:
                return replace(answer, hardware=stored.hardware())
        return answer
