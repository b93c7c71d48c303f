# SPDX-License-Identifier: Apache-2.0
"""Rows 24, 25, 27, 28: Nova's own ways to write an image, and ``_method``."""

from tests.functional.bypass import ways
from tests.functional.bypass.test_bypass_references import NAME, REFERENCES
from tests.functional.nova import base, helpers, verdicts

OLD_API = "2.38"
IDE = {"hw_disk_bus": "ide"}
REFERRING = [{NAME: reference} for reference in REFERENCES]
BACKUP = {"backup_type": "daily", "rotation": 100}


@ways.rows(
    {
        "test_bypass_24_image_metadata_proxy": ("proxy", IDE),
        "test_bypass_25_create_image_metadata": ("createImage", IDE),
        "test_bypass_25_create_backup_metadata": ("createBackup", IDE),
        "test_bypass_28_image_metadata_proxy": ("proxy", REFERRING[0]),
        "test_bypass_28_create_image_metadata": ("createImage", *REFERRING),
        "test_bypass_28_create_backup_metadata": (
            "createBackup",
            REFERRING[0],
        ),
    }
)
class Writes(ways.Ways):
    """Requests that write an image, which a user could boot later."""

    def leaves(self, response, change):
        """Check a request that writes an image property, and its effect."""
        ((name, value),) = change.items()
        if self.GUARDED:
            assert response.status_int == 403, response.text
            assert name in base.text(response), response.text
        else:
            assert response.status_int in (200, 202), response.text
        images = self.glance.images.values()
        written = [each["properties"].get(name) for each in images]
        self.assertEqual(not self.GUARDED, value in written)
        self.glance.images.clear()

    def proxied(self, change):
        """Write image metadata through Nova's proxy API."""
        (name,) = change
        for method, end, body in (
            ("POST", "", {"metadata": change}),
            ("PUT", "", {"metadata": change}),
            ("PUT", f"/{name}", {"meta": change}),
        ):
            path = f"/v2.1/images/{self.image()}/metadata{end}"
            response = self.call(method, path, body, version=OLD_API)
            self.leaves(response, change)

    def imaged(self, action, change):
        """Create an image of a server through Nova."""
        more = BACKUP if action == "createBackup" else {}
        body = {"name": "an image", "metadata": change, **more}
        server = self.server(self.image())
        self.leaves(self.act(server, {action: body}), change)

    def attempt(self, row):
        action, *changes = row
        for change in changes:
            if action == "proxy":
                self.proxied(change)
            else:
                self.imaged(action, change)


(TestGuarded,) = ways.cases(Writes, verdicts.VerdictCase, ways.Guarded)


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


TestGuardedMethod, TestAskedMethod = ways.asked(Method, ways.Asked)
