"""The page for people, in a real browser; skipped where there is none (Debian: chromium-driver)."""

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import yaml
from chromium import MISSING, axe_faults, of_each, set_screen, start_chromium
from npm import packages
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from serving_parts import cycle_json
from tests.support.rig_requests import PATH
from tests.support.services import Served, service

from hydrascope.serving.access.api_keys import new_key
from hydrascope.telemetry.zema import ZemaSource

pytestmark = pytest.mark.skipif(MISSING, reason="no chromium and chromedriver")
SCREENS = {"desktop": (1280, 900, False), "phone": (390, 844, True)}


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    chrome = start_chromium(tmp_path_factory.mktemp("browser"))
    yield chrome
    chrome.quit()


@pytest.fixture(params=SCREENS)
def browser(chrome: Chrome, request: pytest.FixtureRequest) -> Chrome:
    width, height, mobile = SCREENS[request.param]
    set_screen(chrome, width, height, mobile=mobile)
    chrome.get("about:blank")
    return chrome


@pytest.fixture(scope="module")
def diagnosis(served_process: Served, zema: ZemaSource) -> dict[str, Any]:
    """Return the answer to a window without the sensor CE."""
    asked = cycle_json(zema, 5)
    del asked["signals"]["CE"]
    body = json.dumps(asked).encode()
    address = f"http://127.0.0.1:{served_process.port}{PATH}"
    with urlopen(Request(address, body, {"content-type": "application/json"})) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def find(browser: Chrome, selector: str) -> WebElement:
    """Return an element once it is there."""
    return WebDriverWait(browser, 20).until(lambda b: b.find_element(By.CSS_SELECTOR, selector))


def all_of(browser: Chrome, selector: str) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, selector)


def expected_state(component: str, diagnosis: Mapping[str, Any]) -> str:
    findings = diagnosis["components"].get(component, {}).values()
    health = diagnosis["component_health"].get(component)
    if health is None:
        doubtful = any(each["reliable"] is False for each in findings)
        return "unknown" if doubtful else "unjudged"
    return "sound" if health >= 0.8 else "degraded" if health >= 0.5 else "faulty"


def test_a_machine_is_found_chosen_and_shown(
    served_process: Served, browser: Chrome, zema: ZemaSource, diagnosis: Mapping[str, Any]
) -> None:
    browser.get(f"http://127.0.0.1:{served_process.port}/")
    find(browser, "input[type=search]").send_keys("rig")
    link = find(browser, "a[href='#/machines/zema']")
    assert link.text == "ZeMA hydraulic test rig"
    link.click()
    find(browser, ".signals path")
    (machine,) = zema.machines().values()
    shown = of_each(browser, "g[data-component]", "[each.dataset.component, each.dataset.state]")
    assert dict(shown) == {
        each.id: expected_state(each.id, diagnosis) for each in machine.topology.components
    }
    assert len(all_of(browser, ".signals path")) == 16
    (missing,) = all_of(browser, ".sensor.is-missing[data-sensor]")
    assert missing.get_attribute("data-sensor") == "CE"
    assert "Missing" in find(browser, "tr[data-sensor=CE]").text
    answers = {
        f"{component}/{head}"
        for component, heads in ({"": diagnosis["machine"]} | diagnosis["components"]).items()
        for head in heads
    }
    assert {*of_each(browser, "tr[data-finding]", "each.dataset.finding")} == answers
    assert "need a service with a database" in find(browser, "section[aria-labelledby=alarms]").text
    assert is_tidy(browser)


def test_a_component_is_chosen_by_key_and_its_address_shows_it_again(
    served_process: Served, browser: Chrome, diagnosis: Mapping[str, Any]
) -> None:
    browser.get(f"http://127.0.0.1:{served_process.port}/#/machines/{diagnosis['equipment_id']}")
    find(browser, ".signals path")
    find(browser, "[data-component=cooler] [role=button]").send_keys(Keys.ENTER)
    WebDriverWait(browser, 20).until(lambda b: len(all_of(b, ".signals figure")) == 4)
    address = browser.current_url
    assert address.endswith("#/machines/zema?component=cooler")
    browser.get("about:blank")
    browser.get(address)
    find(browser, ".signals path")
    assert of_each(browser, ".signals figure", "each.dataset.sensor") == ["TS3", "TS4", "CE", "CP"]
    pressed = all_of(browser, "[role=button][aria-pressed=true]")
    assert [each.accessible_name.split(":")[0] for each in pressed] == ["Cooler"]


def test_nothing_in_the_circuit_is_written_over_anything_else(
    served_process: Served, browser: Chrome, diagnosis: Mapping[str, Any]
) -> None:
    browser.get(f"http://127.0.0.1:{served_process.port}/#/machines/{diagnosis['equipment_id']}")
    find(browser, ".signals path")
    boxes = browser.execute_script(
        "return [...document.querySelectorAll('.component')].flatMap(each =>"
        " ['.symbol', 'text', '.status'].map(part => {"
        "  const {x, y, width, height} = each.querySelector(`:scope > ${part}`).getBBox();"
        "  return [each.dataset.component + part, x, y, x + width, y + height]; }))"
    )
    assert len(boxes) == 30
    pairs = itertools.combinations(boxes, 2)
    assert [(one[0], other[0]) for one, other in pairs if overlap(one[1:], other[1:])] == []


def overlap(one: list[float], other: list[float]) -> bool:
    """Say whether two boxes (left, top, right, bottom) overlap; lines of text may touch."""
    left, top, right, bottom = one
    other_left, other_top, other_right, other_bottom = other
    across = left < other_right and other_left < right
    return across and top + 3 < other_bottom and other_top + 3 < bottom


@pytest.mark.parametrize(
    ("view", "scheme"),
    [
        ("", "light"),
        ("machines/zema", "dark"),
        ("alarms", "light"),
        *(
            pytest.param(*other, marks=pytest.mark.slow)
            for other in [("", "dark"), ("machines/zema", "light"), ("alarms", "dark")]
        ),
    ],
)
def test_axe_finds_no_serious_fault(
    served_process: Served, browser: Chrome, diagnosis: Mapping[str, Any], view: str, scheme: str
) -> None:
    script = packages() / "axe-core" / "axe.min.js"
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(f"http://127.0.0.1:{served_process.port}/#/{view}")
    find(browser, ".signals path" if "zema" in view else "h1")
    assert axe_faults(browser, script) == []


def test_a_key_is_asked_for_and_kept_for_the_tab(
    bundle: Path, chrome: Chrome, tmp_path: Path
) -> None:
    key, digest = new_key()
    entry = {"name": "plant", "sha256": digest, "scopes": ["read"]}
    (tmp_path / "keys.yaml").write_text(yaml.safe_dump({"keys": [entry]}))
    with service(bundle, f"keys={tmp_path / 'keys.yaml'}") as served:
        chrome.get(f"http://127.0.0.1:{served.port}/")
        assert find(chrome, "[role=alert]").text == "This service asks for an API key."
        find(chrome, ".key input").send_keys(key, Keys.ENTER)
        assert find(chrome, "tbody a").text == "ZeMA hydraulic test rig"
        chrome.refresh()
        assert find(chrome, "tbody a").text == "ZeMA hydraulic test rig"
        assert chrome.execute_script("return localStorage.length") == 0


def is_tidy(browser: Chrome) -> bool:
    """Say whether nothing sticks out sideways, and nothing went wrong that only the browser knows.

    A service without a database has no history and no alarms, which the browser logs.
    """
    root = browser.find_element(By.TAG_NAME, "html")
    width = int(root.get_property("clientWidth") or 0)
    severe = [each["message"] for each in browser.get_log("browser") if each["level"] == "SEVERE"]
    known = [each for each in severe if "/v1/" in each and "404" in each]
    return int(root.get_property("scrollWidth") or 0) <= width and severe == known
