# SPDX-License-Identifier: Apache-2.0
"""The application behind a gate, down to the router."""

from types import SimpleNamespace

import pytest

from nova_vhard.gates import routing


class Layer:
    """Middleware, or the router of a service."""

    def __init__(self, name=None, application=None):
        if name:
            setattr(self, name, application)

    def __call__(self):
        """Answer nothing."""


NAMES = ["application", "app", "_application", "_app", "wrapped"]


def stack(*names):
    """Return middleware, the first outside, and the router behind it."""
    layers = [Layer()]
    for name in reversed(names):
        layers.insert(0, Layer(name, layers[0]))
    return layers


@pytest.mark.parametrize("names", [[], NAMES[:1], NAMES, NAMES * 12])
def test_everything_behind_is_found_in_order(names):
    layers = stack(*names)
    assert list(routing.behind(layers[0])) == layers
    router = layers[-1]
    assert routing.find(
        layers[0], lambda candidate: candidate is router, "Nova", "there"
    ) == (router, layers[:-1])


def test_the_first_that_is_wanted_is_the_one():
    layers = stack("app", "app")
    result, passed = routing.find(
        layers[0], lambda candidate: candidate in layers[1:], "Nova", "there"
    )
    assert (result, passed) == (layers[1], layers[:1])


def test_what_cannot_be_called_is_no_application():
    layer = Layer("application", "a name")
    layer.app = Layer()
    assert list(routing.behind(layer)) == [layer, layer.app]


def test_a_ring_has_an_end():
    ring = Layer()
    ring.app = ring
    assert set(routing.behind(ring)) == {ring}


def test_without_a_router_what_stands_there_is_named():
    layers = [*stack("app"), SimpleNamespace()]
    layers[1].wrapped = lambda: None
    with pytest.raises(routing.NoRouter) as raised:
        routing.find(layers[0], lambda _: False, "Nova's API", "put it last")
    assert str(raised.value) == (
        "no router of Nova's API comes after the filter vhard in this "
        "pipeline (found: Layer, Layer, function): put it last"
    )
