# SPDX-License-Identifier: Apache-2.0
"""Some of the odd requests at Nova itself, with the gate and without."""

from nova.tests.fixtures import PROJECT_ID

from tests import seeds
from tests.functional.nova import base, helpers
from tests.fuzz import nova_stubs
from tests.fuzz import test_fuzz_nova as odd
from tests.fuzz.mutate import Mutator, tried
from tests.fuzz.service import OWN, sent, user_answer

INPUTS = min(300, seeds.fuzz_inputs(150))
MEMBER = {
    "HTTP_X_AUTH_USER": "fake",
    "HTTP_X_USER_ID": "fake",
    "HTTP_X_AUTH_PROJECT_ID": PROJECT_ID,
    "HTTP_X_ROLES": "member,reader",
}


class TestFuzzOfNovaItself(base.FakeDriverCase):
    """The gate makes nothing a 5xx, and changes no other answer to a boot."""

    def setUp(self) -> None:
        super().setUp()
        self.plain = self.without_gate()
        self.ids = {
            nova_stubs.CLEAN: self.image(**helpers.CLEAN),
            nova_stubs.OLD: self.image(**helpers.IDE),
        }
        self.ids[nova_stubs.SERVER] = self.active(self.ids[nova_stubs.CLEAN])
        # Bodies that make servers would make hundreds: a member may have none.
        self.flags(instances=0, group="quota")

    def real(self, text: str) -> str:
        """Return a text with the ids of this cloud."""
        for stub, name in self.ids.items():
            text = text.replace(stub, name)
        return text

    def outcome(self, mutator: Mutator) -> int:
        """Return the answer to one request, which is Nova's or the gate's."""
        environ, body = odd.wish(mutator)
        if any(word in body for word in (b"reboot", b"unshelve", b"rescue")):
            return 0
        del environ["nova.context"]
        body = self.real(body.decode("latin-1")).encode("latin-1")
        path = "/v2.1" + self.real(environ["PATH_INFO"])
        environ |= {**MEMBER, "PATH_INFO": path}
        status = user_answer(self.api_fixture.app(), sent(environ, body))
        # What the gate refuses is not to happen behind its back: it would
        # become what the server has already.
        if status >= 500 or (path.endswith("/servers") and status not in OWN):
            alone = user_answer(self.plain, sent(environ, body))
            details = (mutator.name, environ, body[:500], alone, status)
            assert status == alone, details
        return status

    def test_fuzz_of_the_api(self) -> None:
        assert tried(self.outcome, INPUTS)[403]
