# SPDX-License-Identifier: Apache-2.0
"""The page in Chromium: on screens, on paper, by keyboard, by axe-core."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.osc.report import page as report_page
from tests import report_pages
from tests.functional.report import browser

_MISSING = browser.missing()
if importlib.util.find_spec("selenium") is None:
    _MISSING.append("selenium")

pytestmark = pytest.mark.skipif(
    bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"
)
TAB, ENTER = "\ue004", "\ue007"


@pytest.fixture(scope="module")
def chromium() -> Iterator[browser.Browser]:
    with browser.chromium() as each:
        yield each


def written(directory: Path, **size: int) -> Path:
    """Write a report; return its page."""
    path = directory / "report.html"
    report = report_pages.report(directory, **size)
    path.write_text(report_page.render(report), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a page with rows of each kind, and with each name."""
    folder = tmp_path_factory.mktemp("page")
    return written(folder, hosts=45, violations=48)


def test_a_phone_does_not_scroll_sideways(
    chromium: browser.Browser, page: Path
) -> None:
    chromium.show(page, browser.NARROW)
    assert chromium.width <= browser.NARROW[0]
    # The table of hosts is wider, and scrolls on its own.
    inner = "const one = document.querySelector('.scroll'); "
    assert chromium.run(f"{inner}return one.scrollWidth > one.clientWidth")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    "size", [browser.WIDE, browser.NARROW], ids=["wide", "narrow"]
)
def test_axe_finds_nothing(
    chromium: browser.Browser,
    page: Path,
    size: tuple[int, int],
    dark: bool,
) -> None:
    chromium.show(page, size, dark)
    assert chromium.axe() == []


def test_axe_would_find_something(
    chromium: browser.Browser, tmp_path: Path
) -> None:
    page = tmp_path / "bad.html"
    page.write_text("<p style='color:#aaa;background:#fff'>pale</p>")
    chromium.show(page)
    result = {each["id"] for each in chromium.axe()}
    assert {"color-contrast", "document-title", "html-has-lang"} <= result


def test_by_keyboard(chromium: browser.Browser, page: Path) -> None:
    chromium.show(page)
    chromium.press(TAB)
    assert chromium.focused.text == "Skip to the findings"
    assert chromium.focused.is_displayed()
    chromium.press(ENTER)
    assert chromium.focused.get_attribute("id") == "main"
    chromium.press(TAB)
    assert chromium.focused.get_attribute("role") == "region"


def test_it_is_printed_whole(
    chromium: browser.Browser, tmp_path: Path
) -> None:
    page = written(tmp_path, hosts=200, violations=48)
    chromium.show(page)
    pdf = chromium.pdf()
    assert pdf.startswith(b"%PDF-")
    # 200 hosts do not fit on what the screen shows of their table
    assert pdf.count(b"/Type /Page\n") > 5


def test_summary_is_one_printed_page(
    chromium: browser.Browser, page: Path
) -> None:
    chromium.show(page)
    for rest in ("main", "footer"):
        chromium.run(f"document.querySelector('{rest}').remove()")
    assert chromium.pdf().count(b"/Type /Page\n") == 1


#: The texts of elements that stand on more than a line.
_BROKEN = """
return [...document.querySelectorAll(arguments[0])].filter(element => {
  const range = document.createRange();
  range.selectNodeContents(element);
  const vertical = getComputedStyle(element).writingMode != "horizontal-tb";
  const starts = [...range.getClientRects()].map(
    box => Math.round(vertical ? box.left : box.top));
  return new Set(starts).size > 1;
}).map(element => element.textContent)
"""


@pytest.mark.parametrize(
    "size", [browser.WIDE, browser.NARROW, None], ids=["wide", "narrow", "A4"]
)
def test_answers_and_hosts_are_in_one_line(
    chromium: browser.Browser, page: Path, size: tuple[int, int] | None
) -> None:
    chromium.show(page, size or browser.WIDE)
    if size is None:
        chromium.on_paper()
        assert chromium.width <= chromium.run("return innerWidth")
    cells = ".check, .fleet td, .fleet thead th:not(:has(a))"
    if size != browser.NARROW:
        cells += ", .fleet tbody th"
    words = chromium.run(_BROKEN.replace("arguments[0]", f"'{cells}'"))
    assert words == []
    assert len(chromium.elements(".fleet td")) == 45 * (1 + len(CHECKS))
    assert len(chromium.elements(".check")) > 2 * len(CHECKS)
