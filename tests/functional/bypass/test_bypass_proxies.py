# SPDX-License-Identifier: Apache-2.0
"""Rows 24, 25 and 27: Nova's own ways to write an image, and ``_method``.

The witness is the image that Glance is left with.
"""

from tests.functional.bypass import ways
from tests.functional.nova import base, helpers

OLD_API = "2.38"
IDE = {"hw_disk_bus": "ide"}


class Rows(ways.Ways):
    """The image in Glance is what somebody would boot later."""

    def leaves(self, response, *images):
        """Check a request by what these images, or all, say after it."""
        assert response.status_int < 500, response.text
        if self.GUARDED:
            assert response.status_int in ways.REFUSED, response.text
            text = base.text(response)
            assert "(allowed:" in text or "_method" in text, text
        else:
            assert response.status_int in (200, 202), response.text
        self.settle()
        buses = [
            self.glance.images[each]["properties"].get("hw_disk_bus")
            for each in images or self.glance.images
        ]
        self.assertEqual(not self.GUARDED, "ide" in buses)

    def proxy(self, method, path, body):
        """Write an image's metadata by way of Nova."""
        image = self.image(hw_disk_bus="virtio")
        path = f"/v2.1/images/{image}/metadata{path}"
        response = self.call(method, path, body, version=OLD_API)
        self.leaves(response, image)

    def test_bypass_24_image_metadata_proxy_post(self):
        self.proxy("POST", "", {"metadata": IDE})

    def test_bypass_24_image_metadata_proxy_put_all(self):
        self.proxy("PUT", "", {"metadata": IDE})

    def test_bypass_24_image_metadata_proxy_put_one(self):
        self.proxy("PUT", "/hw_disk_bus", {"meta": IDE})

    def test_bypass_25_create_image_metadata(self):
        server = self.active(self.image())
        action = {"createImage": {"name": "a snapshot", "metadata": IDE}}
        self.leaves(self.act(server, action))

    def test_bypass_25_create_backup_metadata(self):
        server = self.active(self.image())
        action = {
            "createBackup": {
                "name": "a backup",
                "backup_type": "daily",
                # Nova's in-memory Glance counts every image as a backup
                "rotation": 100,
                "metadata": IDE,
            }
        }
        self.leaves(self.act(server, action))


(TestGuarded,) = ways.cases(Rows, base.FakeDriverCase, ways.Guarded)


class Method:
    def test_bypass_27_method_in_the_query_string_of_nova(self):
        image = self.image(**helpers.IDE)
        for root in ("/v2.1", "/v2"):
            # of the other methods' requests Nova does not read the body
            self.witness.texts.clear()
            server = {"name": "x", "imageRef": image, "flavorRef": "1"}
            response = self.call(
                "PUT",
                f"{root}/servers?_method=POST",
                {"server": server},
                version=None,
            )
            self.ends(response, 'bus="ide"')


(TestGuardedMethod,) = ways.cases(Method, base.LibvirtCase, ways.Guarded)
