"""From the fleet to an acknowledged alarm and a table, in a real browser on a real watch."""

import csv
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from chromium import MISSING, axe_faults, set_screen, start_chromium
from npm import packages
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from tests.support.postgres import Server
from tests.support.watch_workers import kept, new_database, rows
from tests.support.watched_service import Watched, watched_service

pytestmark = pytest.mark.skipif(MISSING, reason="no chromium and chromedriver")
SCREENS = {"rig_0": (1280, 900, False), "rig_1": (390, 844, True)}
"""By the machine whose alarm is acknowledged there: a desktop and a phone."""
NOTE = "Seen from the gallery; oil is changed tonight."


@pytest.fixture(scope="module")
def watched(
    watch_server: Server, light_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    dsn = new_database(watch_server.dsn(), "walked")
    with watched_service(dsn, light_bundle, tmp_path_factory.mktemp("walked")) as running:
        yield running


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    chrome = start_chromium(tmp_path_factory.mktemp("browser"))
    yield chrome
    chrome.quit()


class Walk:
    """A person who reads a page and clicks."""

    def __init__(self, chrome: Chrome) -> None:
        self.chrome = chrome

    def find(self, selector: str) -> WebElement:
        """Return an element once it is there."""
        return self._wait.until(lambda b: b.find_element(By.CSS_SELECTOR, selector))

    def at(self, path: str) -> WebElement:
        """Return an element by its XPath once it is there."""
        return self._wait.until(lambda b: b.find_element(By.XPATH, path))

    def click(self, text: str, within: str = "main") -> None:
        """Click the first button or link with a text, once it is there."""
        self.at(f"//{within}//*[self::a or self::button][normalize-space()='{text}']").click()

    def write(self, selector: str, text: str) -> None:
        """Type into an element that the page may still replace while it loads."""

        def typed(browser: Chrome) -> bool:
            browser.find_element(By.CSS_SELECTOR, selector).send_keys(text)
            return True

        WebDriverWait(self.chrome, 30, ignored_exceptions=[StaleElementReferenceException]).until(
            typed
        )

    def read_until(self, selector: str, text: str) -> str:
        """Return what an element says once it says this."""
        self._wait.until(lambda b: text in b.find_element(By.CSS_SELECTOR, selector).text)
        return self.find(selector).text

    def fits(self) -> bool:
        """Say whether nothing sticks out sideways."""
        page = self.find("html")
        return int(page.get_property("scrollWidth")) <= int(page.get_property("clientWidth"))

    @property
    def _wait(self) -> WebDriverWait[Chrome]:
        return WebDriverWait(self.chrome, 30)


@pytest.mark.parametrize("machine", SCREENS)
def test_an_alarm_is_found_acknowledged_with_a_note_and_its_machine_saved_as_a_table(
    watched: Watched, chrome: Chrome, machine: str, tmp_path: Path
) -> None:
    width, height, mobile = SCREENS[machine]
    set_screen(chrome, width, height, mobile=mobile)
    told = {"behavior": "allow", "downloadPath": str(tmp_path)}
    chrome.execute_cdp_cmd("Browser.setDownloadBehavior", told)
    walk = entered(chrome, watched)
    walk.find(f"a[href='#/machines/{machine}']")
    assert walk.fits()
    before = alarms_of(walk, machine)
    walk.find(f"a[href='#/machines/{machine}']").click()
    walk.find(".signals path")
    assert walk.fits()
    row = walk.find("section[aria-labelledby=alarms] tr[data-alarm]")
    number = row.get_attribute("data-alarm") or ""
    is_over = watched.ask(f"alarms/{number}").content["over_at"] is not None
    row.find_element(By.CSS_SELECTOR, "a").click()

    walk.write("fieldset.actions textarea", NOTE)
    assert walk.fits()
    walk.click("Acknowledge")
    assert "Acknowledged by anna" in walk.read_until(".events", NOTE)
    (said,) = rows(
        watched.dsn,
        "SELECT state, actor, note FROM hydrascope.alarms JOIN hydrascope.alarm_events "
        "USING (alarm_key) WHERE alarm_key = $1 AND action = 'acknowledged'",
        int(number),
    )
    assert tuple(said) == ("closed" if is_over else "acknowledged", "anna", NOTE)

    walk.find(".facts-list a").click()
    walk.click("Download CSV")
    table = downloaded(tmp_path / f"{machine}.csv")
    assert table
    starts = {start for name, start in kept(watched.dsn) if name == machine}
    assert {datetime.fromisoformat(each["time"]) for each in table} <= starts
    walk.click("Machines", within="header")
    walk.find(f"a[href='#/machines/{machine}']")
    assert alarms_of(walk, machine) == before - is_over


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "screen", [SCREENS["rig_0"], pytest.param(SCREENS["rig_1"], marks=pytest.mark.slow)]
)
def test_axe_finds_no_serious_fault_where_there_are_alarms_and_a_past(
    watched: Watched, chrome: Chrome, screen: tuple[int, int, bool], scheme: str
) -> None:
    width, height, mobile = screen
    set_screen(chrome, width, height, mobile=mobile)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    walk = entered(chrome, watched)
    (alarm, *_) = watched.ask("alarms").content["alarms"]
    for view, shown in (
        ("", "tbody tr"),
        ("machines/rig_0", ".chart canvas"),
        ("alarms", "tr[data-alarm]"),
        (f"alarms/{alarm['alarm_id']}", ".events li"),
    ):
        chrome.get(f"{watched.page}#/{view}")
        walk.find(shown)
        assert axe_faults(chrome, packages() / "axe-core" / "axe.min.js") == []


def entered(chrome: Chrome, watched: Watched) -> Walk:
    """Return a person whose key the page knows."""
    walk = Walk(chrome)
    chrome.get("about:blank")
    chrome.get(watched.page)
    if not chrome.execute_script("return sessionStorage.length"):
        walk.find(".key input").send_keys(watched.ask.key, Keys.ENTER)
    walk.find("tbody tr")
    return walk


def alarms_of(walk: Walk, machine: str) -> int:
    """Return how many alarms the fleet's view shows of a machine."""
    row = f"//main//tr[.//a[@href='#/machines/{machine}']]"
    return int(walk.at(f"{row}//td[@data-name='Open alarms']").text.split()[-1])


def downloaded(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table once it is saved."""
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} was not saved"
        time.sleep(0.1)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
