# SPDX-License-Identifier: Apache-2.0
"""The story of the demo, played on real processes."""

import pytest

from cloud import policies
from story import play


@pytest.fixture
def tidy(cloud, admin, member, heritage):
    """Give the cloud; afterwards it has what it had before."""
    images = {image.id for image in admin.image.images()}
    yield cloud
    for user in (member, heritage):
        for server in user.compute().servers():
            user.remove(server)
    for image in admin.image.images():
        if image.id not in images:
            admin.image.delete_image(image)
    policies.write(cloud.place.policy, policies.BASELINE)


def test_the_story_goes_as_told(tidy, capsys):
    assert play.play(tidy, play.GATES), capsys.readouterr().out
    shown = capsys.readouterr().out
    assert f"{len(play.GATES)} of {len(play.GATES)} steps" in shown
    assert "Nova API" in shown
