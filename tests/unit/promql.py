# SPDX-License-Identifier: Apache-2.0
"""What a PromQL expression says, held against metrics that exist."""

import re
from collections.abc import Mapping, Set

import promql_parser as promql

#: What Prometheus itself adds to each series that it fetches.
OF_THE_SCRAPE = frozenset(("instance", "job"))

Known = Mapping[str, Mapping[str, Set[str] | None]]


def labels_of(text: str, known: Known) -> frozenset[str] | None:
    """Return the labels that an expression's result has.

    :param known: name of each series to its labels, with the values that
        they can have (None for any)
    :returns: None for a scalar
    :raises ValueError: if it names something that does not exist, or if two
        sides of an operator can never match
    """
    return _of(promql.parse(text), known)


def _of(found: promql.Expr, known: Known) -> frozenset[str] | None:
    if isinstance(found, promql.MatrixSelector):
        return _of(found.vector_selector, known)
    if isinstance(found, promql.VectorSelector):
        return _selected(found, known)
    if isinstance(found, promql.AggregateExpr):
        return _aggregated(found, known)
    if isinstance(found, promql.BinaryExpr):
        return _together(found, known)
    if isinstance(found, promql.Call):
        return _called(found, known)
    if isinstance(found, promql.NumberLiteral):
        return None
    # In parentheses, with a sign, a subquery.
    return _of(found.expr, known)


def _selected(found: promql.VectorSelector, known: Known) -> frozenset[str]:
    if found.name not in known:
        raise ValueError(f"no metric {found.name}")
    labels = known[found.name]
    for one in found.matchers.matchers:
        if one.name not in labels:
            raise ValueError(f"{found.name} has no label {one.name}")
        values = labels[one.name]
        for value in one.value.split("|"):
            if values is not None and value not in values:
                raise ValueError(f"{one.name} is never {value!r}")
    return OF_THE_SCRAPE | labels.keys()


def _aggregated(found: promql.AggregateExpr, known: Known) -> frozenset[str]:
    inner = _of(found.expr, known)
    if inner is None:
        raise ValueError("a scalar cannot be aggregated")
    if re.match(r"(topk|bottomk)\b", found.prettify().strip()):
        return inner
    wanted = frozenset(found.modifier.labels if found.modifier else ())
    if wanted - inner:
        raise ValueError(f"no label {', '.join(wanted - inner)}")
    return wanted


def _together(found: promql.BinaryExpr, known: Known) -> frozenset[str] | None:
    left, right = _of(found.lhs, known), _of(found.rhs, known)
    if left is None or right is None:
        return right if left is None else left
    if left != right:
        raise ValueError(f"never match: {sorted(left)}, {sorted(right)}")
    return left


def _called(found: promql.Call, known: Known) -> frozenset[str] | None:
    inner = [_of(one, known) for one in found.args]
    name = found.func.name
    if name == "vector":
        return frozenset()
    vectors = [one for one in inner if one is not None]
    if name == "histogram_quantile":
        if "le" not in vectors[0]:
            raise ValueError("a quantile needs the label le")
        return vectors[0] - {"le"}
    return vectors[0] if vectors else None
