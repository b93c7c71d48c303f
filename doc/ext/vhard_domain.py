# SPDX-License-Identifier: Apache-2.0
"""Write where the guard finds each device kind in a domain's XML."""

from collections.abc import Iterable, Iterator, Mapping

from vhard_rst import literals, plain, table

from nova_vhard.catalogue import domain_xml
from nova_vhard.catalogue.xml_location import XmlPlace


def places() -> str:
    """Return a table of all kinds that a domain tells, a row a place."""
    rows = (
        (f"``{kind}``", ", ".join(_place(one)), _without(one), _added(one))
        for kind, found in domain_xml.PLACES.items()
        for one in found
    )
    head = ("Rule", "Judged", "Without a value", "Ignored")
    return table(head, rows, (20, 40, 20, 20))


def untold() -> str:
    """Return the kinds that no domain tells, by the reason."""
    reasons: dict[str, list[str]] = {}
    for kind, why in domain_xml.UNTOLD.items():
        reasons.setdefault(why, []).append(kind)
    rows = ((literals(kinds), plain(why)) for why, kinds in reasons.items())
    return table(("Rule", "Why"), rows, (40, 60))


def _place(place: XmlPlace) -> Iterator[str]:
    if place.count:
        yield f"number of ``{place.path}``"
    elif place.value is None:
        yield f"whether there is a ``{place.path}``"
    elif place.spec:
        yield f"``{place.path}``"
    else:
        values = place.value.split("|")
        yield " or ".join(
            f"``{place.path}/{each}``".replace("/``", "``") for each in values
        )
    for name, among in place.only.items():
        yield f"if ``@{name}`` is {_any(among)}"
    for name, among in place.but.items():
        yield f"unless ``@{name}`` is {_any(among)}"
    if place.source:
        yield f"if its source ends in ``{place.source}``"
    if place.but_source:
        yield f"unless its source ends in ``{place.but_source}``"
    if place.spec:
        yield f"by the flavor's ``{place.spec}``"


def _any(values: Iterable[str]) -> str:
    return " or ".join(f"``{each}``" for each in values)


def _without(place: XmlPlace) -> str:
    """Return what counts if the value or the element is missing."""
    values = {arch: (value,) for arch, value in place.missing.items()}
    parts = [_by_architecture(values)]
    if place.absent:
        where, pattern, value = place.absent
        parts.append(
            f"without the element ``{value}``, if ``{where}`` matches "
            f"``{pattern}``"
        )
    return "; ".join(filter(None, parts))


def _added(place: XmlPlace) -> str:
    """Return the values that Nova or libvirt add on their own."""
    text = _by_architecture(place.added)
    return f"of a host: {text}" if place.of_host else text


def _by_architecture(values: Mapping[str, Iterable[str]]) -> str:
    groups: dict[str, list[str]] = {}
    for architecture, each in sorted(values.items()):
        groups.setdefault(literals(each), []).append(architecture)
    return "; ".join(
        each + ("" if "" in names else f" on {', '.join(names)}")
        for each, names in groups.items()
    )
