# SPDX-License-Identifier: Apache-2.0
"""Recreate the pictures of the report in the documentation.

python -m tests.functional.report.pictures
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from nova_vhard.conf.vhard import POLICY_FILE
from nova_vhard.osc.report import page as report_page
from tests import report_pages
from tests.functional.report import browser

FOLDER = Path(__file__).resolve().parents[3] / "doc" / "source" / "images"

_NAMES = ("legacy-router", "win2019-golden", "debian-13", "edge-fw")
_VIEWS = {
    "report-light.png": (browser.WIDE, False, ""),
    "report-dark.png": (browser.WIDE, True, "hosts-title"),
    "report-narrow.png": (browser.NARROW, False, "images"),
}


def take(chromium: browser.Browser, folder: Path) -> None:
    """Take all pictures."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        page = directory / "report.html"
        report = report_pages.report(directory, 40, 36, _NAMES)
        policy = replace(report.policy, files=(POLICY_FILE,))
        report = replace(report, policy=policy)
        page.write_text(report_page.render(report), encoding="utf-8")
        for name, (size, dark, part) in _VIEWS.items():
            chromium.show(page, size, dark)
            if part:
                get = f"document.getElementById('{part}')"
                chromium.run(f"{get}.scrollIntoView()")
            chromium.picture(folder / name)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    with browser.chromium() as chromium:
        take(chromium, FOLDER)
