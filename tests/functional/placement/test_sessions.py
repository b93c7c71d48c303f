# SPDX-License-Identifier: Apache-2.0
"""Sessions of operators with the real Placement, from sessions/."""

import pathlib

from tests.functional import sessions

FOLDER = pathlib.Path(__file__).with_name("sessions")


@sessions.each(FOLDER)
def test_a_session(world, path, title):
    world.check(path, title)
