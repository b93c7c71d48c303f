# SPDX-License-Identifier: Apache-2.0
"""The units, read by systemd."""

import pytest

from tests.deploy.places import PREFIX, ROOT, output

UNITS = sorted(
    path
    for path in (ROOT / "etc" / "nova-vhard").iterdir()
    if path.suffix in (".service", ".socket", ".timer")
)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_has_nothing_to_say(tmp_path, unit):
    """systemd reports a line that it ignores, but does not fail.

    It does fail if a program is not in the environment.
    """
    for path in UNITS:
        text = path.read_text().replace("/opt/nova-vhard", str(PREFIX))
        (tmp_path / path.name).write_text(text)
    command = ("systemd-analyze", "verify", "--man=no", tmp_path / unit.name)
    assert output(*command) == ""


def test_a_line_that_systemd_ignores_is_seen(tmp_path):
    text = UNITS[0].read_text().replace("/opt/nova-vhard", str(PREFIX))
    assert "keylime.key:none" in text
    unit = tmp_path / UNITS[0].name
    unit.write_text(text.replace("keylime.key:none", "keylime.key:"))
    command = ("systemd-analyze", "verify", "--man=no", unit)
    assert "ignoring: keylime.key:" in output(*command)
