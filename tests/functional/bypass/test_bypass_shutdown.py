# SPDX-License-Identifier: Apache-2.0
"""Row 34: what a stable rescue reads after the guest has shut down.

Nova waits for the guest, as long as the image property os_shutdown_timeout
says, and reads the server's own image or volume only then.  The guest is the
owner's: here it takes its time, until the owner has changed the metadata.
"""

from pathlib import Path

import fixtures
from nova.tests.fixtures import libvirt as fakelibvirt

from tests.functional.bypass import ways
from tests.functional.nova import base, verdicts

IDE = 'bus="ide"'
CIRRUS = '<model type="cirrus"/>'
TIMEOUT = "os_shutdown_timeout"
STABLE = {"hw_rescue_bus": "virtio", "hw_rescue_device": "disk"}
#: More than a minute, as Nova reads it: int() of the text.
LONG = (
    *("61", "3600", " 3600", "+3600", "1_000", "3600\n"),
    "\uff13\uff16\uff10\uff10",
)
#: A minute, less, or nothing that Nova can read: it takes its own default.
SHORT = ("60", "0", "-3600", "", "an hour", "3600.5")


class Shutdown(ways.Ways):
    def during_the_shutdown(self, stored, **properties):
        """Write properties while the guest shuts down."""
        shutdown = fakelibvirt.Domain.shutdown

        def slow(domain):
            stored.update(properties)
            return shutdown(domain)

        name = "nova.tests.fixtures.libvirt.Domain.shutdown"
        self.useFixture(fixtures.MonkeyPatch(name, slow))

    def rescue(self, server):
        home = Path(base.CONF.instances_path) / server
        home.mkdir(exist_ok=True)
        action = {"rescue": {"rescue_image_ref": self.image(**STABLE)}}
        return self.act(server, action)

    def test_bypass_34_root_volume_changed_during_the_shutdown(self):
        volume = self.volume(**{TIMEOUT: "3600"})
        root = self.disk(volume)
        server = self.active(None, block_device_mapping_v2=[root])
        stored = self.cinder.volumes[volume]["volume_image_metadata"]
        self.during_the_shutdown(stored, hw_video_model="cirrus")
        self.ends(self.rescue(server), CIRRUS, names=[TIMEOUT])

    def test_bypass_34_own_image_changed_during_the_shutdown(self):
        """Glance takes machine type pc, which is a warning by itself."""
        image = self.image(**{TIMEOUT: "3600"}, hw_machine_type="q35")
        server = self.active(image, config_drive=True)
        stored = self.glance.images[image]["properties"]
        stored.pop("hw_cdrom_bus", None)
        self.during_the_shutdown(stored, hw_machine_type="pc")
        self.ends(self.rescue(server), IDE, names=[TIMEOUT])


(TestGuarded,) = ways.cases(Shutdown, base.LibvirtCase, ways.Guarded)


class TestTimeouts(verdicts.VerdictCase):
    """The timeout is in the server's stored data, not in an image."""

    def rescue(self, *, kept="60", now="60", stable=STABLE):
        """Return the status of the rescue of a server on an image."""
        image = self.image(**{TIMEOUT: now})
        server = self.server(image, **{TIMEOUT: kept})
        action = {"rescue": {"rescue_image_ref": self.image(**stable)}}
        return self.act(server, action).status_int

    def test_more_than_a_minute_is_refused(self):
        for timeout in LONG:
            self.assertEqual(403, self.rescue(kept=timeout), repr(timeout))

    def test_a_minute_is_what_nova_waits_by_itself(self):
        for timeout in SHORT:
            self.assertEqual(200, self.rescue(kept=timeout), repr(timeout))

    def test_an_image_that_was_changed_since_does_not_matter(self):
        self.assertEqual(200, self.rescue(now="3600"))

    def test_a_rescue_that_is_not_stable_reads_nothing_later(self):
        """Nova has read the rescue image before, and reads no other."""
        self.assertEqual(200, self.rescue(kept="3600", stable={}))
