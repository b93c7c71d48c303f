# SPDX-License-Identifier: Apache-2.0
"""Documents of a request, with edits that the search for a fix tries.

A document is something that a user can edit: image properties, the image
metadata of a volume, flavor extra specs, or a request body.
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
#: The origin of a document, and the image or volume that it belongs to.
Place = tuple[str, Holder]
#: A place, and a name in it: ``hw_disk_bus`` or ``mappings[1].disk_bus``.
Setting = tuple[Place, str]
#: New values. None removes a setting or, in an image update, keeps its value.
Edits = Mapping[Setting, str | None]


class NotAnswered(Exception):
    """Raised if a look-up fails. The search for a fix then stops."""


def is_foreign(place: Place, subject: Subject) -> bool:
    """Return True if a document is an image that another project owns."""
    owners = {place[1].project, subject.project}
    return place[0] == IMAGE and None not in owners and len(owners) > 1


def entries(value: Any) -> list[Any]:
    """Return the block devices of a list, or [] if it cannot be read."""
    try:
        value = json.loads(value) if isinstance(value, str | bytes) else value
    except (ValueError, RecursionError):
        return []
    return list(value) if isinstance(value, list | tuple) else []


@dataclass
class Draft:
    """Edited documents of a request.

    :ivar answers: cached look-up results, by method and id
    :ivar documents: edited documents that the readers have requested
    :ivar before: for each image update, the image before the update
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
        """Return an edited document.

        :param before: for an image update, the image before the update
        """
        place = origin, holder
        edits = {
            name: v for (at, name), v in self.edits.items() if at == place
        }
        edited = dict(document)
        if edits and is_foreign(place, self.subject):
            # Only the owner can edit it. The fix is a copy, which has only
            # the properties that ``openstack image create`` sets.
            edited = dict(copied(document))
        for name, value in edits.items():
            old = None if before is None else before.get(name)
            _edit(edited, name, old if value is None else value)
        # Convert lists back to text, which the reader may reject as too long.
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
        """Return an edited image."""
        properties = self.of(
            image.origin,
            image.holder,
            image.properties,
            None if before is None else before.properties,
        )
        return replace(image, properties=properties)

    def touched(self, names: frozenset[str]) -> frozenset[str]:
        """Return the names that an edited image update changes."""
        return names.union(name for _, name in self.edits).difference(
            name for (_, name), value in self.edits.items() if value is None
        )

    def lookups(self, find: Any) -> Any:
        """Return look-ups that apply the edits of this draft."""
        return _Lookups(find, self)


def copied(document: Document) -> list[tuple[str, str]]:
    """Return the properties of a copy of an image.

    Values that a shell would interpret are skipped.
    """
    return [
        (name, str(document[name]))
        for name in sorted(READ & document.keys() - {"disk_format"})
        if is_plain(str(document[name]))
    ]


def _edit(document: dict[str, Any], name: str, value: Any) -> None:
    """Set or remove a property, or a key in an entry of a list."""
    listed, bracket, rest = name.partition("[")
    if bracket and listed in document:
        index, _, key = rest.partition("]")
        items = entries(document[listed])
        entry = items[int(index)]
        # Replace an invalid entry with an empty one.
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

    Each look-up runs once per search. Edits are applied to the cached answer.
    """

    _find: Any
    _draft: Draft

    def __getattr__(self, name: str) -> Any:
        """Return a look-up."""

        def look_up(*asked: Any) -> Any:
            # Other arguments are earlier answers, which are edited.
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
        """Return an edited POST /servers body, or another body unchanged."""
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
            # In other operations this is the current hardware of the server.
            # It excuses existing violations, so an edit must not change it.
            stored = self._draft.image(answer.stored())
            if stored.properties != answer.properties:
                return replace(answer, hardware=stored.hardware())
        return answer
