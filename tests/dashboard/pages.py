# SPDX-License-Identifier: Apache-2.0
"""User actions in Horizon, performed with Selenium."""

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.functional.report import browser

#: Seconds; on a machine that is busy.
_LONG = 180
_REFUSAL = ".nova-vhard-refusal"
_DIALOG = ".modal-dialog"
_BUTTONS = "td a, td button"
_MENU = ".dropdown-toggle, .split-caret"
_PICK = """
const [select, text] = arguments;
const found = Array.from(select.options).find(
  option => option.text.includes(text) || option.value === text);
select.value = found.value;
$(select).trigger('change');
"""


class Horizon:
    """Horizon in a browser.

    :param chromium: tests.functional.report.browser.Browser
    :param facts: cloud.facts.Facts
    :param pictures: where pictures are kept
    """

    def __init__(
        self, chromium: browser.Browser, facts: Any, pictures: Path
    ) -> None:
        self.chromium = chromium
        self.driver = chromium._driver
        self._facts = facts
        self._pictures = pictures
        self.driver.set_window_size(1280, 900)

    def log_in(self, user: str) -> None:
        """Log in, for as long as this browser is there."""
        self.go("/auth/login/")
        self.find("#id_username").send_keys(user)
        self.find("#id_password").send_keys(self._facts.password)
        self.find("#loginBtn").click()
        self.until(lambda: "/auth/login" not in self.driver.current_url)

    def go(self, path: str) -> None:
        """Show a page."""
        self.driver.get(self._facts.url("dashboard") + path)

    @contextlib.contextmanager
    def seen(
        self, size: tuple[int, int] = (1280, 900), dark: bool = False
    ) -> Iterator[None]:
        """Set the screen size and Horizon's theme until the block ends."""
        self.driver.set_window_size(*size)
        theme = {"name": "theme", "value": "dark"}
        if dark:
            self.driver.add_cookie(theme)
        try:
            yield
        finally:
            self.driver.delete_cookie("theme")
            self.driver.set_window_size(1280, 900)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait for something; return what it is then."""
        ignored = [
            ElementClickInterceptedException,
            StaleElementReferenceException,
        ]
        waiting = WebDriverWait(self.driver, _LONG, 0.1, ignored)
        return waiting.until(lambda _: condition())

    def shown(self, selector: str, text: str = "") -> list[Any]:
        """Return what is seen of the elements with a text in them."""
        result = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return [
            element
            for element in result
            if element.is_displayed() and text in element.text
        ]

    def find(self, selector: str, text: str = "") -> Any:
        """Wait for an element to be seen."""
        return self.until(lambda: next(iter(self.shown(selector, text)), None))

    def click(self, selector: str, text: str = "") -> None:
        """Click on an element as soon as it is seen."""
        self.find(selector, text).click()

    def pick(self, name: str, text: str) -> None:
        """Choose from a select that a theme may hide."""
        selector = f"#modal_wrapper select[name={name}]"
        get = f"return document.querySelector({json.dumps(selector)})"
        select = self.until(lambda: self.driver.execute_script(get))
        self.driver.execute_script(_PICK, select, text)

    def select(self, name: str, text: str) -> None:
        """Choose from a select that is seen."""
        result = self.find(f"select[name={name}]")
        Select(result).select_by_visible_text(text)

    def allocate(self, name: str) -> None:
        """Choose what a step of a wizard offers, if it is not chosen."""
        row = self.find(".step tbody tr", name)
        for arrow in row.find_elements(By.CSS_SELECTOR, ".fa-arrow-up"):
            arrow.click()

    def elements(self, selector: str) -> list[Any]:
        """Wait for elements to be there, seen or not."""
        get = (By.CSS_SELECTOR, selector)
        result: list[Any] = self.until(lambda: self.driver.find_elements(*get))
        return result

    def act(self, row: str, action: str) -> None:
        """Choose an action of a row of a table, as soon as it has it."""
        self.until(lambda: self._acts(row, action))

    def _acts(self, row: str, action: str) -> bool:
        """Choose an action if it is displayed; otherwise open its menu.

        Horizon replaces a row when its data changes.
        """
        for line in self.shown("tbody tr", row):
            for button in line.find_elements(By.CSS_SELECTOR, _BUTTONS):
                if button.is_displayed() and action in button.text:
                    button.click()
                    return True
            for menu in line.find_elements(By.CSS_SELECTOR, _MENU):
                menu.click()
                return False
        return False

    def step(self, name: str) -> None:
        """Go to a step of a wizard."""
        self.click(".wizard-nav a", name)

    def add_bus(self, value: str) -> None:
        """Add hw_disk_bus in the tree of metadata, and choose its value."""
        pattern = self.find("metadata-tree input[placeholder=Filter]")
        pattern.send_keys("hw_disk_bus")
        self.click("metadata-tree li.level-0")
        leaf = self.find("metadata-tree li.level-1", "Disk Bus")
        leaf.find_element(By.CSS_SELECTOR, "a.btn").click()
        self.set_bus(value)

    def set_bus(self, value: str) -> None:
        """Choose another value of hw_disk_bus."""
        select = self.find("metadata-tree select")
        Select(select).select_by_visible_text(value)

    def bus(self) -> str:
        """Return the value of hw_disk_bus that is chosen."""
        select = Select(self.find("metadata-tree select"))
        return str(select.first_selected_option.text)

    def finish(self) -> None:
        """Press the button that sends a dialog."""
        button = ".modal-footer .finish, .modal-footer .btn-primary"
        # A wizard has it ready as soon as it has loaded what it needs.
        ready = self.until(
            lambda: [each for each in self.shown(button) if each.is_enabled()]
        )
        ready[-1].click()

    def refusal(self, picture: str = "") -> str:
        """Wait for a refusal; return all that is told of anything wrong.

        :param picture: name of a picture to keep
        """
        self.find(f"{_DIALOG} {_REFUSAL}")
        self.until(lambda: not self.shown(".modal.loading"))
        if picture:
            self.picture(".modal-content", picture)
        return self.messages()

    def picture(self, selector: str, name: str) -> None:
        """Keep a picture of a part of the page."""
        file = self._pictures / f"{name}.png"
        self.find(selector).screenshot(str(file))

    def whole_picture(self, name: str) -> None:
        """Keep a picture of the page, what is below the screen too."""
        tell = self.driver.execute_cdp_cmd
        size = tell("Page.getLayoutMetrics", {})["cssContentSize"]
        options = {"captureBeyondViewport": True, "clip": {**size, "scale": 1}}
        taken = tell("Page.captureScreenshot", options)["data"]
        file = self._pictures / f"{name}.png"
        file.write_bytes(base64.b64decode(taken))

    def messages(self) -> str:
        """Return the text of everything that looks like a message."""
        return "\n".join(each.text for each in self.shown(".alert"))

    def is_closed(self) -> bool:
        """Return whether no dialog is open."""
        return not self.shown(_DIALOG)
