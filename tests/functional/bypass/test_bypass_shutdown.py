# SPDX-License-Identifier: Apache-2.0
"""Row 34: what a stable rescue reads after the guest has shut down.

Nova waits for the guest, as long as the image property os_shutdown_timeout
says, and reads the server's own image or volume only then.  The guest is the
owner's: here it takes its time, until the owner has changed the metadata.
"""

import fixtures
from nova.tests.fixtures import libvirt as fakelibvirt

from tests.functional.bypass import ways
from tests.functional.bypass.ways import Q35, STABLE, Attempt, New
from tests.functional.nova import verdicts

TIMEOUT = "os_shutdown_timeout"
#: Status of a rescue by the timeout that Nova keeps: int() of the text.
TIMEOUTS = {
    **dict.fromkeys(("61", "3600", " 3600", "+3600", "1_000", "3600\n"), 403),
    "\uff13\uff16\uff10\uff10": 403,
    # a minute, less, or nothing that Nova can read: it takes its own default
    **dict.fromkeys(("60", "0", "-3600", "", "an hour", "3600.5"), 200),
}
LONG = {TIMEOUT: "3600"}
SHUTDOWN = {
    "test_bypass_34_root_volume_changed_during_the_shutdown": Attempt(
        ways.on_volume(LONG),
        (ways.CIRRUS,),
        (TIMEOUT,),
        ways.rescue(**STABLE),
        changed=("volume", {"hw_video_model": "cirrus"}),
    ),
    # Glance takes machine type pc, which is a warning by itself
    "test_bypass_34_own_image_changed_during_the_shutdown": Attempt(
        {"imageRef": New("image", {**LONG, **Q35}), "config_drive": True},
        (ways.IDE,),
        (TIMEOUT,),
        ways.rescue(**STABLE),
        changed=("image", ways.PC),
    ),
}


@ways.rows(SHUTDOWN)
class Shutdown(ways.Ways):
    def change(self, server, kind, says):
        """Change an object while the guest shuts down."""
        shutdown = fakelibvirt.Domain.shutdown
        stored = self.stored(kind, self.made[kind])

        def slow(domain):
            stored.update(says)
            return shutdown(domain)

        self.useFixture(
            fixtures.MonkeyPatch(
                "nova.tests.fixtures.libvirt.Domain.shutdown", slow
            )
        )


TestGuarded, TestAsked = ways.asked(Shutdown, ways.Asked)


class TestTimeouts(verdicts.VerdictCase):
    """The timeout is in the server's stored data, not in an image."""

    def test_more_than_a_minute_is_refused(self):
        image = self.image(**{TIMEOUT: "3600"})
        action = {"rescue": {"rescue_image_ref": self.image(**STABLE)}}
        for timeout, status in TIMEOUTS.items():
            response = self.act(
                self.server(image, **{TIMEOUT: timeout}), action
            )
            self.assertEqual(status, response.status_int, repr(timeout))
