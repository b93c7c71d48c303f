# SPDX-License-Identifier: Apache-2.0
"""Refusals of Nova, followed literally: see tests/refusals.yaml."""

from typing import Any

from nova.tests.fixtures import PROJECT_ID

from tests import following, refusals, services
from tests.functional.nova import helpers, typed, verdicts

#: Requests of the table that are sent to Glance.
GLANCE = ("upload", "change", "older image", "public image")
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


#: Actions on a server that a command of a fix may change
ACTIONS = ("rebuild", "rescue", "snapshot", "backup", "resize")
#: Requests that bring a device into a server that runs.
ATTACH = ("attach card", "attach volume", "attach port", "share")


class Attempt:
    """A request that is sent, changed as a message says, and sent again.

    :ivar sent: properties, extra specs, metadata or keys, from the table
    :ivar done: what was changed, as in the table
    :ivar image: id of the image that is booted, or that an action names
    :ivar server: id of the server that is acted on, or that gets a device
    :ivar devices: block devices of the boot, or of its image
    :ivar flavor: id of the flavor that is booted
    :ivar written: id of a flavor that is written
    """

    flavor = "1"
    server = port = written = ""
    image: Any

    def __init__(self, case: Any, row: refusals.Refusal) -> None:
        self.case, self.row = case, row
        self.sent: dict[str, str | None] = dict(row.sends)
        self.done: dict[str, str | None] = {}
        self.shell = typed.Shell(case)
        self.devices: list[dict[str, Any]] = []
        self.image = own = self._image()
        images = case.glance.images
        disks = [BLANK | {"disk_bus": "virtio"}, BLANK | self.sent]
        if row.request in (
            "rebuild",
            "rescue",
            "snapshot",
            "backup",
            "resize",
        ):
            self.server = case.server(own, **typed.CONTROLLER)
        match row.request:
            case "boot" | "rebuild" | "rescue":
                self.image = self._image(**self.sent)
            case "public boot":
                self.image = self._image(typed.OTHERS, **self.sent)
            case "volume" | "volume snapshot":
                self.image, kind = None, row.request.rpartition(" ")[2]
                made = case.volume(**refusals.image(self.sent))
                if kind == "snapshot":
                    made = case.snapshot(made)
                self.devices = [verdicts.root(made, kind)]
            case "unshelve":
                shelved = self._image(**self.sent)
                self.server = case.server(own, shelved=shelved)
            case "attach port" | "port":
                self.port = case.port(self.sent["vnic_type"])
            case "block device":
                self.devices = [
                    {
                        **verdicts.LOCAL,
                        "boot_index": 0,
                        "uuid": own,
                    },
                    disks[1],
                ]
            case "block device of the image":
                stored = {"bdm_v2": "True", "block_device_mapping": disks}
                images[own]["properties"] |= stored
                self.devices = disks
            case "flavor" | "resize" | "schedule":
                self.flavor = self._flavor()
            case "flavor write":
                self.written = case._create_flavor()
        if row.request in ATTACH:
            named = {k: v for k, v in self.sent.items() if k != "vnic_type"}
            image = self._image(**named)
            self.server = case.server(image, **images[image]["properties"])

    def _image(self, owner: str = PROJECT_ID, **more: Any) -> str:
        properties = {**refusals.IMAGE, **typed.CONTROLLER, **more}
        given = {k: v for k, v in properties.items() if v is not None}
        return str(self.case.owned(owner, **given))

    def _flavor(self) -> str:
        specs = {**TRAITS, **self.sent}
        return str(self.case._create_flavor(extra_spec=specs))

    def send(self) -> Any:
        """Send the request as it is now."""
        case, sent, request = self.case, self.sent, self.row.request
        snapshot = {"name": "a snapshot", "metadata": sent}
        daily = {**snapshot, "backup_type": "daily", "rotation": 1}
        server = f"servers/{self.server}"
        action = f"{server}/action"
        requests: dict[str, tuple[str, Any, dict[str, Any]]] = {
            "rebuild": (action, {"rebuild": {"imageRef": self.image}}, {}),
            "rescue": (
                action,
                {"rescue": {"rescue_image_ref": self.image}},
                {},
            ),
            "snapshot": (action, {"createImage": snapshot}, {}),
            "backup": (action, {"createBackup": daily}, {}),
            "unshelve": (action, {"unshelve": None}, {}),
            "resize": (action, {"resize": {"flavorRef": self.flavor}}, {}),
            "image metadata": (
                f"images/{self.image}/metadata",
                {"metadata": sent},
                {"version": "2.38"},
            ),
            "flavor write": (
                f"flavors/{self.written}/os-extra_specs",
                {"extra_specs": sent},
                {"roles": helpers.ADMIN},
            ),
            "attach card": (f"{server}/os-interface", {}, {}),
            "attach volume": (
                f"{server}/os-volume_attachments",
                {"volumeAttachment": {"volumeId": case.volume()}},
                {},
            ),
            "attach port": (
                f"{server}/os-interface",
                {"interfaceAttachment": {"port_id": self.port}},
                {},
            ),
            "share": (
                f"{server}/shares",
                {"share": {"share_id": typed.OTHERS}},
                {},
            ),
        }
        if request in requests:
            path, body, more = requests[request]
            response = case.call("POST", f"/v2.1/{path}", body, **more)
            if request in ACTIONS:
                typed.rest(self.server)
            return response
        keys: dict[str, Any] = {"flavorRef": self.flavor}
        if self.devices and request != "block device of the image":
            keys["block_device_mapping_v2"] = self.devices
        if self.port:
            keys["networks"] = [{"port": self.port}]
        response = case.boot(self.image, **keys)
        return case.filtered(response) if request == "schedule" else response

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
            self.flavor = self._flavor()


class TestRefusals(typed.Fixes):
    NAME = "strict"

    def setUp(self):
        super().setUp()
        self.taken = self.without_computes()

    def follow(self, row):
        if "amd-sev" in row.name and 0 < services.NOVA < services.NEWEST:
            self.skipTest(f"Nova {services.NOVA} lacks it: amd-sev-snp")
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
