# SPDX-License-Identifier: Apache-2.0
"""The page in Chromium: whole with 2,000 hosts, and smaller ones."""

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


def test_nothing_is_missing_without_script(
    chromium: browser.Browser, tmp_path: Path
) -> None:
    chromium.show(written(tmp_path), script=False)
    hosts = chromium.elements(".fleet tbody tr")
    assert len(hosts) == report_pages.HOSTS
    assert hosts[0].is_displayed()
    violations = ".rows tbody tr"
    parts = ("images", "servers", "flavors")
    result = sum(
        len(chromium.elements(f"#{part} {violations}")) for part in parts
    )
    assert result == report_pages.VIOLATIONS


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_phone_does_not_scroll_sideways(
    chromium: browser.Browser, page: Path, script: bool
) -> None:
    chromium.show(page, browser.NARROW, script=script)
    assert chromium.width <= browser.NARROW[0]
    if script:
        wide = "return document.scrollingElement.scrollWidth"
        assert chromium.run(wide) <= browser.NARROW[0]
        # the table of hosts is wider, and scrolls by itself
        inner = "const one = document.querySelector('.scroll'); "
        assert chromium.run(f"{inner}return one.scrollWidth > one.clientWidth")


def test_names_stay_text(chromium: browser.Browser, page: Path) -> None:
    chromium.show(page)
    assert chromium.title.startswith("nova-vhard report")
    assert chromium.elements("script, img") == []
    names = set(
        chromium.run(
            "return [...document.querySelectorAll('#images tbody th bdi')]"
            ".map(name => name.innerText)"
        )
    )
    assert report_pages.SCRIPT in names
    # the override is gone: what is read is in the order of the letters
    assert "gpj.exe photo" in names


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


@pytest.mark.parametrize(
    "size", [browser.WIDE, browser.NARROW], ids=["wide", "narrow"]
)
def test_names_of_checks_are_in_one_line(
    chromium: browser.Browser, tmp_path: Path, size: tuple[int, int]
) -> None:
    page = written(tmp_path, hosts=5, violations=8)
    chromium.show(page, size)
    lines = (
        "return [...document.querySelectorAll('.check')]"
        ".filter(name => name.getClientRects().length != 1)"
        ".map(name => name.textContent)"
    )
    assert chromium.run(lines) == []
    assert len(chromium.elements(".check")) > 2 * len(CHECKS)


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
    chromium: browser.Browser, tmp_path: Path, size: tuple[int, int] | None
) -> None:
    page = written(tmp_path, hosts=45, violations=8)
    chromium.show(page, size or browser.WIDE)
    if size is None:
        chromium.on_paper()
        assert chromium.width <= chromium.run("return innerWidth")
    cells = ".fleet td, .fleet thead th:not(:has(a))"
    if size != browser.NARROW:
        cells += ", .fleet tbody th"
    words = chromium.run(_BROKEN.replace("arguments[0]", f"'{cells}'"))
    assert words == []
    assert len(chromium.elements(".fleet td")) == 45 * (1 + len(CHECKS))


def test_pictures_for_the_documentation(
    chromium: browser.Browser, tmp_path: Path
) -> None:
    from tests.functional.report import pictures

    taken = pictures.take(chromium, tmp_path)
    assert sorted(each.name for each in taken) == sorted(
        each.name for each in pictures.FOLDER.glob("report-*.png")
    )
    assert all(each.read_bytes().startswith(b"\x89PNG") for each in taken)
