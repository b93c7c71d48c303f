# SPDX-License-Identifier: Apache-2.0
"""Some of the odd requests at Glance itself, with the gate and without."""

from tests import seeds
from tests.functional.glance import identity
from tests.functional.glance.wire import User, Wire
from tests.fuzz import test_fuzz_glance as odd
from tests.fuzz.mutate import Mutator, tried
from tests.fuzz.service import OWN, sent, user_answer

INPUTS = min(500, seeds.fuzz_inputs(60))


def test_fuzz_of_glance_itself(gated: User, plain: User) -> None:
    """The gate lets nothing refused in, and makes nothing a 5xx."""

    def outcome(mutator: Mutator) -> tuple[int, int]:
        image = plain.create().json["id"]
        environ, body = odd.wish(mutator)
        del environ["webob.adhoc_attrs"]
        environ |= {
            "PATH_INFO": environ["PATH_INFO"].replace(odd.IMAGE, image),
            "HTTP_X_AUTH_TOKEN": identity.token(plain.project),
        }
        status = user_answer(gated.app, sent(environ, body))
        buses = [each.get("hw_disk_bus") for each in plain.images()]
        assert "ide" not in buses, mutator.name
        alone = user_answer(plain.app, sent(environ, body))
        details = (mutator.name, environ, body[:500], alone, status)
        assert status == alone or status in OWN, details
        for made in plain.images():
            plain.send(Wire("DELETE", f"/v2/images/{made['id']}"))
        return alone, status

    result = tried(outcome, INPUTS)
    assert (201, 403) in result or (200, 403) in result, result
