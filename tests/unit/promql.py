# SPDX-License-Identifier: Apache-2.0
"""Check of PromQL expressions against the metrics that exist."""

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


def _of(result: promql.Expr, known: Known) -> frozenset[str] | None:
    match result:
        case promql.MatrixSelector():
            return _of(result.vector_selector, known)
        case promql.VectorSelector():
            return _selected(result, known)
        case promql.AggregateExpr():
            return _aggregated(result, known)
        case promql.BinaryExpr():
            return _together(result, known)
        case promql.Call():
            return _called(result, known)
        case promql.NumberLiteral():
            return None
    # In parentheses, with a sign, a subquery.
    return _of(result.expr, known)


def _selected(result: promql.VectorSelector, known: Known) -> frozenset[str]:
    if result.name not in known:
        raise ValueError(f"no metric {result.name}")
    labels = known[result.name]
    for each in result.matchers.matchers:
        if each.name not in labels:
            raise ValueError(f"{result.name} has no label {each.name}")
        values = labels[each.name]
        for value in each.value.split("|"):
            if values is not None and value not in values:
                raise ValueError(f"{each.name} is never {value!r}")
    return OF_THE_SCRAPE | labels.keys()


def _aggregated(result: promql.AggregateExpr, known: Known) -> frozenset[str]:
    inner = _of(result.expr, known)
    if inner is None:
        raise ValueError("a scalar cannot be aggregated")
    if re.match(r"(topk|bottomk)\b", result.prettify().strip()):
        return inner
    wanted = frozenset(result.modifier.labels if result.modifier else ())
    if wanted - inner:
        raise ValueError(f"no label {', '.join(wanted - inner)}")
    return wanted


def _together(
    result: promql.BinaryExpr, known: Known
) -> frozenset[str] | None:
    left, right = _of(result.lhs, known), _of(result.rhs, known)
    if left is None or right is None:
        return right if left is None else left
    if left != right:
        raise ValueError(f"never match: {sorted(left)}, {sorted(right)}")
    return left


def _called(result: promql.Call, known: Known) -> frozenset[str] | None:
    inner = [_of(each, known) for each in result.args]
    name = result.func.name
    if name == "vector":
        return frozenset()
    vectors = [each for each in inner if each is not None]
    if name == "histogram_quantile":
        if "le" not in vectors[0]:
            raise ValueError("a quantile needs the label le")
        return vectors[0] - {"le"}
    return vectors[0] if vectors else None
