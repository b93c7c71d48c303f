# SPDX-License-Identifier: Apache-2.0
"""Refusals of Nova, followed literally: see tests/refusals.yaml."""

from collections.abc import Callable
from typing import Any

from nova.compute import power_state, vm_states
from nova.tests.fixtures import PROJECT_ID

from tests import following, refusals
from tests.functional.nova import fixes, helpers, typed

#: Requests of the table that are sent to Glance.
GLANCE = ("upload", "change", "older image", "public image")
ROOT = {"boot_index": 0, "source_type": "image", "destination_type": "local"}
BLANK = {
    "boot_index": -1,
    "source_type": "blank",
    "destination_type": "volume",
    "volume_size": 1,
}
#: Without these, the gate refuses to write a flavor with a device.
TRAITS = {
    f"trait:CUSTOM_VHARD_{name}": "required"
    for name in ("IOMMU", "INTERRUPT_REMAPPING")
}


class Attempt:
    """A request that is sent, changed as a message says, and sent again.

    :ivar sent: properties, extra specs, metadata or keys, from the table
    :ivar done: what was changed, as in the table
    :ivar image: id of the image that is booted
    """

    flavor = "1"
    send: Callable[[], Any]

    def __init__(self, case: Any, row: refusals.Refusal) -> None:
        self.case, self.row = case, row
        self.sent: dict[str, str | None] = dict(row.sends)
        self.done: dict[str, str | None] = {}
        self.shell = typed.Shell(case)
        self.image = self._image()
        getattr(self, "_" + row.request.replace(" ", "_"))()

    def _image(self, owner=PROJECT_ID, **more):
        properties = {**refusals.IMAGE, **fixes.CONTROLLER, **more}
        given = {k: v for k, v in properties.items() if v is not None}
        return self.case.owned(owner, **given)

    def _posts(self, path, body, **more):
        self.send = lambda: self.case.call("POST", path, body(), **more)

    def _boots(self, body):
        whole = {"flavorRef": self.flavor}
        self.send = lambda: self.case.boot(self.image, **{**whole, **body()})

    def _boot(self, owner=PROJECT_ID):
        self.image = self._image(owner, **self.sent)
        self._boots(dict)

    def _public_boot(self):
        self._boot(fixes.OTHERS)

    def _volume(self):
        self._boots_from(self._stored())

    def _volume_snapshot(self):
        snapshot = self.case.snapshot(self._stored())
        self._boots_from(snapshot, source_type="snapshot")

    def _stored(self):
        return self.case.volume(**refusals.image(self.sent))

    def _boots_from(self, volume, **more):
        self.image = None
        root = self.case.disk(volume, **more)
        self._boots(lambda: {"block_device_mapping_v2": [root]})

    def _acts(self, name, body):
        """Send an action of a server, and let the server rest after it."""
        server = self.case.server(self.image, **fixes.CONTROLLER)

        def send():
            response = self.case.act(server, {name: body()})
            typed.rest(server)
            return response

        self.send = send

    def _rebuild(self):
        self._acts("rebuild", lambda: {"imageRef": self.image})
        self.image = self._image(**self.sent)

    def _rescue(self):
        self._acts("rescue", lambda: {"rescue_image_ref": self.image})
        self.image = self._image(**self.sent)

    def _snapshot(self, name="createImage", **more):
        more = {"name": "a snapshot", **more}
        self._acts(name, lambda: {"metadata": self.sent, **more})

    def _backup(self):
        self._snapshot("createBackup", backup_type="daily", rotation=1)

    def _image_metadata(self):
        path = f"/v2.1/images/{self.image}/metadata"
        self._posts(path, lambda: {"metadata": self.sent}, version="2.38")

    def _unshelve(self):
        server = self.case.server(self.image)
        shelved = {"shelved_image_id": self._image(**self.sent)}
        state = vm_states.SHELVED_OFFLOADED
        typed.rest(server, state, power_state.SHUTDOWN, **shelved)
        self.send = lambda: self.case.act(server, {"unshelve": None})

    def _attach(self, what, body):
        """Attach to a server of an image of what was sent."""
        image = self._image(**self.sent)
        stored = self.case.glance.images[image]["properties"]
        self.server = self.case.server(image, **stored)
        self._posts(f"/v2.1/servers/{self.server}/{what}", body)

    def _attach_card(self):
        self._attach("os-interface", dict)

    def _attach_volume(self):
        body = {"volumeAttachment": {"volumeId": self.case.volume()}}
        self._attach("os-volume_attachments", lambda: body)

    def _attach_port(self):
        self.port = self.shell.port(self.sent.pop("vnic_type"))
        name = "interfaceAttachment"
        self._attach("os-interface", lambda: {name: {"port_id": self.port}})

    def _share(self):
        body = {"share": {"share_id": fixes.OTHERS}}
        self._attach("shares", lambda: body)

    def _block_device(self):
        root = {**ROOT, "uuid": self.image}
        self.devices = [root, {**BLANK, **self.sent}]
        self._boots(lambda: {"block_device_mapping_v2": self.devices})

    def _block_device_of_the_image(self):
        self.devices = [{**BLANK, "disk_bus": "virtio"}]
        self.devices.append({**BLANK, **self.sent})
        stored = {"bdm_v2": "True", "block_device_mapping": self.devices}
        self.case.glance.images[self.image]["properties"] |= stored
        self._boots(dict)

    def _with_flavor(self):
        specs = {**TRAITS, **self.sent}
        self.flavor = self.case._create_flavor(extra_spec=specs)

    def _flavor(self):
        self._with_flavor()
        self._boots(lambda: {"flavorRef": self.flavor})

    def _resize(self):
        self._with_flavor()
        self._acts("resize", lambda: {"flavorRef": self.flavor})

    def _schedule(self):
        """Ask the scheduler's gate about a request that the API accepts."""
        self._flavor()
        boot = self.send
        self.send = lambda: self.case.filtered(boot())

    def _flavor_write(self):
        path = f"/v2.1/flavors/{self.case._create_flavor()}/os-extra_specs"
        body = {"extra_specs": self.sent}
        self._posts(path, lambda: body, roles=helpers.ADMIN)

    def _port(self):
        self.port = self.shell.port(self.sent["vnic_type"])
        self._boots(lambda: {"networks": [{"port": self.port}]})

    def follow(self, step: following.Step) -> None:
        """Do what one step of a message says."""
        images, words = self.case.glance.images, step.words
        for command in step.commands:
            self.shell.run(command)
            if command[2] == "set":
                self.done |= following.options(command)
            elif command[2] == "unset":
                self.done |= dict.fromkeys(command[4:-1:2])
        changes = {
            **step.given,
            **dict.fromkeys(step.named("leave") + step.named("without")),
        }
        if step.kind == "other host":
            changes = self.row.do
        elif step.kind == "copy":
            before = images[self.image]["properties"]
            self.image = self.shell.made[words["name"]]
            after = images[self.image]["properties"]
            changes = {
                name: after.get(name)
                for name in before.keys() | after.keys()
                if before.get(name) != after.get(name)
            }
        elif step.kind == "port":
            self.case.assertEqual(self.port, words["port"])
            self.port = self.shell.made[words["name"]]
            changes = {"vnic_type": "normal"}
        elif step.kind == "stored":
            image = self._image(**{**self.sent, **step.given})
            body = {"rebuild": {"imageRef": image}}
            self.case.passes(self.case.act(self.server, body))
            typed.rest(self.server)
        elif step.kind == "entry":
            entry = self.devices[int(words["index"])]
            entry[words["key"]] = words["value"]
            name = f"{words['list']}[{words['index']}].{words['key']}"
            changes = {name: words["value"]}
        self.done |= changes
        self.sent |= changes
        for name, value in changes.items():
            if value is None:
                del self.sent[name]
        if self.flavor != "1":
            named = self.case.api.get_flavor(self.flavor)["name"]
            self.case.assertIn(words.get("flavor"), (named, None))
            self._with_flavor()


class TestRefusals(fixes.Fixes):
    NAME = "strict"

    def setUp(self):
        super().setUp()
        # What comes after the gate needs a compute.
        self.taken = []
        for name in ("attach_volume", "attach_interface", "resize"):
            self.stub_out(
                f"nova.compute.api.API.{name}",
                lambda *_, name=name, **__: self.taken.append(name),
            )

    def follow(self, row):
        self.write_policy(row.policy)
        attempt = Attempt(self, row)
        answer = attempt.send()
        if row.request == "schedule":
            text = f" To fix: {answer.partition('; ')[2]}"
        else:
            text = self.explained(answer)
            self.assertIn(f"[rule {row.rule}]", text)
        self.assertEqual([], self.taken)
        for step in following.steps(text):
            attempt.follow(step)
        self.assertEqual(row.do, attempt.done, text)
        if not row.do:
            # Only the operator can change the policy.
            self.write_policy("mode: audit\n")
        response = attempt.send()
        if row.request == "schedule":
            self.assertEqual("", response)
        elif not self.taken:
            # 409: Nova attaches a share to a stopped server only.
            self.assertIn(response.status_int, (200, 202, 409), response.text)


for _row in refusals.TABLE:
    if _row.request not in GLANCE:
        setattr(
            TestRefusals,
            f"test_{_row.name}",
            lambda self, row=_row: self.follow(row),
        )
