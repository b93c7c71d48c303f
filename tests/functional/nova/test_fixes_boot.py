# SPDX-License-Identifier: Apache-2.0
"""Boots: what a refusal says to do, done; then Nova takes them."""

import copy

from tests import following
from tests.functional.nova import fixes, typed

BLANK = {
    "boot_index": -1,
    "source_type": "blank",
    "destination_type": "volume",
    "volume_size": 1,
}


class TestBoot(fixes.Fixes):
    def test_own_images(self):
        for properties in (*self.settings(), {**fixes.WHOLE, **fixes.NOWHERE}):
            image = self.owned(**properties)
            text = self.explained(self.boot(image))
            typed.commands(self, text)
            self.passes(self.boot(image), text)

    def test_images_of_others(self):
        for properties in (
            *self.settings()[:3],
            {**fixes.WHOLE, **fixes.NOWHERE},
        ):
            image = self.owned(fixes.OTHERS, **properties)
            text = self.explained(self.boot(image))
            self.assertIn(fixes.OTHERS, text)
            made = typed.commands(self, text).made
            self.passes(self.boot(made["my-copy"]), text)

    def boot_from(self, volume, **more):
        root = self.disk(volume, **more)
        return self.boot(None, block_device_mapping_v2=[root])

    def test_volumes(self):
        for properties in (*self.settings(), {**fixes.WHOLE, **fixes.NOWHERE}):
            volume = self.volume(**properties)
            text = self.explained(self.boot_from(volume))
            typed.commands(self, text)
            self.passes(self.boot_from(volume), text)

    def test_a_snapshot_of_a_volume(self):
        volume = self.volume(**fixes.WHOLE, hw_sound_model="sb16")
        snapshot = self.snapshot(volume)
        more = {"source_type": "snapshot"}
        text = self.explained(self.boot_from(snapshot, **more))
        typed.commands(self, text)
        self.passes(self.boot_from(snapshot, **more), text)

    def test_flavors(self):
        image = self.owned(**fixes.WHOLE)
        for specs in self.settings("extra_specs"):
            flavor = self._create_flavor(extra_spec=specs)
            text = self.explained(self.boot(image, flavorRef=flavor))
            (step,) = following.steps(text)
            self.assertEqual("flavor", step.kind)
            for name in step.named("without"):
                del specs[name]
            other = self._create_flavor(extra_spec=specs)
            self.passes(self.boot(image, flavorRef=other), text)


class TestBootStrict(TestBoot):
    NAME = "strict"


class TestBlockDevices(fixes.Fixes):
    """Of a request, or in an image."""

    def test_block_devices(self):
        image = self.owned(**fixes.WHOLE, **fixes.CONTROLLER)
        root = {
            "boot_index": 0,
            "uuid": image,
            "source_type": "image",
            "destination_type": "local",
        }
        for device in following.devices(self.rules):
            entries = [dict(root), {**BLANK, **device}]
            name = "block_device_mapping_v2"
            text = self.explained(self.boot(image, **{name: entries}))
            for step in following.steps(text):
                if step.kind == "by hand":
                    continue
                self.assertEqual("entry", step.kind)
                self.assertEqual(name, step.words["list"])
                self.edit(entries, step.words)
            self.passes(self.boot(image, **{name: entries}), text)

    def edit(self, entries, words):
        entry = entries[int(words["index"])]
        if words["value"]:
            entry[words["key"]] = words["value"]
        else:
            del entry[words["key"]]

    def test_block_devices_of_an_image(self):
        devices = ({"disk_bus": "ide"}, {"device_type": "floppy"})
        entries = [{**BLANK, **device} for device in devices]
        name = "block_device_mapping"
        image = self.owned(
            **fixes.WHOLE, bdm_v2="True", **{name: copy.deepcopy(entries)}
        )
        text = self.explained(self.boot(image))
        for step in following.steps(text):
            if step.kind != "by hand":
                self.assertEqual(f"image {image}", step.words["where"])
                self.edit(entries, step.words)
        properties = self.glance.images[image]["properties"]
        properties[name] = entries
        self.passes(self.boot(image), text)
