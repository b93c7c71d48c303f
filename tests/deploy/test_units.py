# SPDX-License-Identifier: Apache-2.0
"""The units, read by systemd."""

from tests.deploy.places import PREFIX, ROOT, output

UNITS = sorted(
    path
    for path in (ROOT / "etc" / "nova-vhard").iterdir()
    if path.suffix in (".service", ".socket", ".timer")
)


def test_systemd_finds_no_fault(tmp_path):
    """systemd reports a line that it ignores, but does not fail.

    It does fail if a program is not in the environment.
    """
    for path in UNITS:
        text = path.read_text().replace("/opt/nova-vhard", str(PREFIX))
        (tmp_path / path.name).write_text(text)
    paths = sorted(tmp_path.iterdir())
    assert output("systemd-analyze", "verify", "--man=no", *paths) == ""
