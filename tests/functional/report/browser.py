# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium, and axe-core to run in it."""

import base64
import contextlib
import filecmp
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WIDE, NARROW = (1280, 800), (360, 740)

_ROOT = Path(__file__).resolve().parents[3]
_CACHE = _ROOT / ".cache" / "axe"
_LOCK = Path(__file__).with_name("package-lock.json")
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
_MINUTES = 600
_RUN = """
const [part, done] = arguments;
axe.run(part || document, {resultTypes: ["violations", "incomplete"]}).then(
  found => done(found.violations.map(one => ({
    id: one.id, help: one.help,
    nodes: one.nodes.slice(0, 5).map(node => node.html.slice(0, 300)),
  }))),
  error => done([{id: "axe failed", help: String(error)}]));
"""


def missing() -> list[str]:
    """Name what is not installed."""
    programs = {"chromedriver": ("chromedriver",), "npm": ("npm",)}
    programs["chromium"] = _CHROMIUM
    return sorted(name for name, any_ in programs.items() if not _find(*any_))


def _find(*names: str) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


def axe() -> str:
    """Return the source of axe-core, as package-lock.json has it."""
    file = _CACHE / "node_modules" / "axe-core" / "axe.min.js"
    if not file.exists() or not filecmp.cmp(
        _CACHE / _LOCK.name, _LOCK, shallow=False
    ):
        shutil.rmtree(_CACHE, ignore_errors=True)
        _CACHE.mkdir(parents=True)
        for each in (_LOCK, _LOCK.with_name("package.json")):
            shutil.copy(each, _CACHE)
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts")
        subprocess.run(
            [str(_find("npm")), "ci", *quiet, "--prefix", _CACHE],
            check=True,
            cwd=_CACHE,
        )
    return file.read_text(encoding="utf-8")


@contextlib.contextmanager
def chromium() -> Iterator["Browser"]:
    """Run a Chromium with a profile of its own."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(_find(*_CHROMIUM))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = str(_find("chromedriver"))
        service = webdriver.ChromeService(executable_path=driver)
        browser = webdriver.Chrome(options=options, service=service)
        browser.set_script_timeout(_MINUTES)
        browser.set_page_load_timeout(_MINUTES)
        try:
            yield Browser(browser)
        finally:
            browser.quit()


class Browser:
    """Browser actions of the tests."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def show(
        self, page: Path, size: tuple[int, int] = WIDE, dark: bool = False
    ) -> None:
        """Load a page, as a screen of that size and taste shows it."""
        width, height = size
        self._tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if size == NARROW else 1,
            mobile=size == NARROW,
        )
        scheme = {
            "name": "prefers-color-scheme",
            "value": "dark" if dark else "light",
        }
        self._tell("Emulation.setEmulatedMedia", media="", features=[scheme])
        self._driver.get(page.as_uri())

    def on_paper(self) -> None:
        """Lay the page out as A4 across, with the margins of the report."""
        self._tell(
            "Emulation.setDeviceMetricsOverride",
            width=int((297 - 2 * 12) / 25.4 * 96),
            height=int((210 - 2 * 12) / 25.4 * 96),
            deviceScaleFactor=1,
            mobile=False,
        )
        self._tell("Emulation.setEmulatedMedia", media="print")

    @property
    def title(self) -> str:
        """The title of the page."""
        return str(self._driver.title)

    @property
    def width(self) -> int:
        """Width of what can be scrolled to, in CSS pixels; needs no script."""
        metrics = self._tell("Page.getLayoutMetrics")
        return int(metrics["cssContentSize"]["width"])

    def run(self, script: str) -> Any:
        """Run a script in the page, as a developer's console does."""
        return self._driver.execute_script(script)

    def elements(self, selector: str) -> list[Any]:
        """Return the elements that a CSS selector finds."""
        from selenium.webdriver.common.by import By

        return list(self._driver.find_elements(By.CSS_SELECTOR, selector))

    def press(self, key: str) -> None:
        """Press a key, wherever the focus is."""
        self._driver.switch_to.active_element.send_keys(key)

    @property
    def focused(self) -> Any:
        """The element that has the focus."""
        return self._driver.switch_to.active_element

    def axe(self, part: str = "") -> list[Any]:
        """Return what axe-core finds.

        :param part: a CSS selector; the whole page without one
        """
        self.run(axe())
        return list(self._driver.execute_async_script(_RUN, part))

    def pdf(self) -> bytes:
        """Return the page as it is printed."""
        return base64.b64decode(self._driver.print_page())

    def picture(self, file: Path) -> None:
        """Take a picture of what the screen shows."""
        self._driver.save_screenshot(str(file))

    def _tell(self, command: str, **options: Any) -> Any:
        return self._driver.execute_cdp_cmd(command, options)
