# SPDX-License-Identifier: Apache-2.0
"""A cloud in which what a refusal says to do is done."""

from nova.tests.fixtures import PROJECT_ID

from tests.functional.nova import base, service, verdicts

OTHERS = "0f4a5b6c7d8e4f90a1b2c3d4e5f60718"
CONTROLLER = {"hw_scsi_model": "virtio-scsi"}


class Fixes(verdicts.VerdictCase):
    """A cloud under a shipped policy."""

    NAME = "baseline"

    def write_policy(self, text):
        header = service.HEADER.replace("baseline", self.NAME)
        service.write_policy(self.policy_file, text, header)

    def owned(self, owner=PROJECT_ID, **properties):
        """Put an image of a project into Glance; return its id."""
        image = self.image(**properties)
        self.glance.images[image]["owner"] = owner
        return image

    def explained(self, response):
        """Return why the gate refuses."""
        self.assertEqual(403, response.status_int, response.text)
        return base.text(response)

    def passes(self, response, text=""):
        answer = (response.status_int, response.text, text)
        self.assertIn(response.status_int, (200, 202), answer)

    def admitted(self, response):
        """Check that the gates let through what needs a compute further on.

        For a server on a volume Nova's API asks for its host.
        """
        text = response.text
        self.assertNotIn(response.status_int, (400, 403, 404, 503), text)
