# SPDX-License-Identifier: Apache-2.0
"""Image metadata that a refusal speaks of, sent as it says."""

from tests import following
from tests.functional.nova import fixes, typed

OLD_API = "2.38"


class TestImages(fixes.Fixes):
    """Metadata of an image that a snapshot makes, and of one that exists."""

    def snapshot_of(self, server, action, properties):
        body = {"name": "a snapshot", "metadata": properties}
        if action == "createBackup":
            body |= {"backup_type": "daily", "rotation": 1}
        response = self.act(server, {action: body})
        typed.rest(server)
        return response

    def again(self, step, properties):
        """Return the request that a text asks for."""
        left = step.named("leave")
        fewer = {k: v for k, v in properties.items() if k not in left}
        return {**fewer, **step.given}

    def test_createimage_and_createbackup(self):
        # given a server that has what would be refused today
        image = self.owned(hw_vif_model="e1000")
        server = self.server(image, hw_vif_model="e1000")
        for number, properties in enumerate(self.settings()):
            action = ("createImage", "createBackup")[number % 2]
            answer = self.snapshot_of(server, action, properties)
            text = self.explained(answer)
            self.assertNotIn(image, text)
            (step,) = following.steps(text)
            again = self.again(step, properties)
            self.passes(self.snapshot_of(server, action, again), text)

    def write(self, image, properties):
        path = f"/v2.1/images/{image}/metadata"
        body = {"metadata": properties}
        return self.call("POST", path, body, version=OLD_API)

    def test_metadata_of_an_image(self):
        for properties in self.settings():
            image = self.owned(x="1")
            text = self.explained(self.write(image, properties))
            (step,) = following.steps(text)
            self.assertNotIn("openstack", text)
            image = self.owned(x="1")
            again = self.again(step, properties)
            self.passes(self.write(image, {"y": "1", **again}), text)
