# SPDX-License-Identifier: Apache-2.0
"""XML of others, read within limits: no document type, so no entities.

Python's parser is expat, which knows the five entities of XML itself; every
other one would have to be declared in a document type. An XML bomb is refused
where it declares the first.
"""

from xml.etree import ElementTree

from nova_vhard.common.text import line

#: Bytes of a document, its elements, and how deep they may lie.
MAX_SIZE = 4 * 1024 * 1024
MAX_ELEMENTS = 50_000
MAX_DEPTH = 256


class XmlError(ValueError):
    """Raised for invalid XML or XML beyond a limit; one line says why."""


class _Builder(ElementTree.TreeBuilder):
    """Tree builder that stops at a document type or a limit."""

    def __init__(self) -> None:
        super().__init__()
        self._elements = 0
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str]) -> ElementTree.Element:
        """Begin an element.

        :raises XmlError: if there are too many, or they are too deep
        """
        self._elements += 1
        self._depth += 1
        if self._elements > MAX_ELEMENTS:
            raise XmlError(f"more than {MAX_ELEMENTS} elements")
        if self._depth > MAX_DEPTH:
            raise XmlError(f"more than {MAX_DEPTH} elements in each other")
        return super().start(tag, attrs)

    def end(self, tag: str) -> ElementTree.Element:
        """End an element."""
        self._depth -= 1
        return super().end(tag)

    def doctype(self, name: str, pubid: str, system: str) -> None:
        """Refuse a document type.

        :raises XmlError: always
        """
        raise XmlError("a document type, in which entities are declared")


def parse(text: bytes | str) -> ElementTree.Element:
    """Return the outermost element of a document.

    :param text: text, or bytes in UTF-8, whatever the document says of them
    :raises XmlError: if it is no XML, too large, too deep, or has a document
        type
    """
    if len(text) > MAX_SIZE:
        raise XmlError(f"larger than {MAX_SIZE} bytes")
    try:
        document = text.decode() if isinstance(text, bytes) else text
        parser = ElementTree.XMLParser(target=_Builder())  # noqa: S314
        parser.feed(document)
        return parser.close()
    except XmlError:
        raise
    except UnicodeDecodeError as error:
        raise XmlError(f"not UTF-8: {error.reason}") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise XmlError(f"not XML: {line(error)}") from error
