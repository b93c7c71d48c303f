# SPDX-License-Identifier: Apache-2.0
"""The HTTP response of a refusal."""

import pytest

from tests.functional.glance.conftest import MakeUser
from tests.functional.glance.wire import User, add, create, message, update

BAD = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "text/html",
        "text/plain",
        "text/html, application/xml;q=0.9, */*;q=0.1",
        "application/json",
        "application/json;q=0",
    ],
)
def test_it_is_json_whatever_the_client_accepts(
    gated: User, plain: User, accept: str | None
) -> None:
    # given
    headers = {} if accept is None else {"Accept": accept}
    image = plain.create().json["id"]
    # when
    answers = [
        gated.send(create(BAD, headers=headers)),
        gated.send(
            update(
                *[add(f"/{name}", value) for name, value in BAD.items()],
                headers=headers,
            ).about(image)
        ),
    ]
    # then
    for answer in answers:
        text = message(answer)
        assert "hw_disk_bus='ide'" in text
        assert "hw_vif_model='e1000'" in text


@pytest.mark.parametrize(
    ("properties", "parts"),
    [
        (
            {"hw_disk_bus": "ide"},
            [
                "image property hw_disk_bus='ide' is not allowed",
                "(allowed: virtio, scsi)",
                "[rule guest_devices.disk_bus]",
            ],
        ),
        # Every violation at once.
        (
            {
                "hw_disk_bus": "ide",
                "hw_cdrom_bus": "ide",
                "img_config_drive": "mandatory",
                "hw_vif_model": "e1000",
                "hw_scsi_model": "lsilogic",
                "hw_video_model": "cirrus",
            },
            [
                "guest_devices.disk_bus",
                "guest_devices.cdrom_bus",
                "guest_devices.vif_model",
                "guest_devices.scsi_model",
                "guest_devices.video_model",
            ],
        ),
        # The words of the user.
        ({"vmware_adaptertype": "ide"}, ["vmware_adaptertype"]),
        ({"hw_vif_model": "VirtualE1000"}, ["VirtualE1000"]),
    ],
)
def test_it_says_what_is_refused(
    gated: User, properties: dict[str, str], parts: list[str]
) -> None:
    text = message(gated.create(**properties))
    assert [part for part in parts if part not in text] == []


def test_hostile_values_are_cut_and_cleaned(gated: User) -> None:
    # given
    value = "<script>\r\nSet-Cookie: a=b\x1b[2J\u202e" + "x" * 200
    # when
    response = gated.create(hw_disk_bus=value)
    # then
    text = message(response)
    assert text.isprintable()
    assert "x" * 65 not in text
    assert "Set-Cookie" not in response.headers
    assert response.headers["X-Openstack-Request-Id"].startswith("req-")


def test_it_points_at_the_page_that_the_cloud_names(under: MakeUser) -> None:
    from oslo_config import cfg

    # without the option nothing is added
    assert " See " not in message(under().create(hw_disk_bus="ide"))
    # with it, an upload and a change of an image end with the rule's URL
    cfg.CONF.set_override("help_url", "https://docs.example/why", "vhard")
    try:
        user = under()
        image = user.create().json["id"]
        for answer in (
            user.create(hw_disk_bus="ide"),
            user.update(image, add("/hw_disk_bus", "ide")),
        ):
            assert answer.status_int == 403
            assert message(answer).endswith(
                " See https://docs.example/why#rule-guest-devices-disk-bus"
            )
    finally:
        cfg.CONF.clear_override("help_url", "vhard")
