"""The page for people, in a real browser; skipped where there is none (Debian: chromium-driver)."""

import json
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest
from chromium import MISSING, set_screen, start_chromium
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from serving_parts import cycle_json
from tests.support.rig_requests import PATH
from tests.support.services import Served

from hydrascope.telemetry.zema import ZemaSource

pytestmark = pytest.mark.skipif(MISSING, reason="no chromium and chromedriver")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    chrome = start_chromium(tmp_path_factory.mktemp("browser"))
    set_screen(chrome, 390, 844, mobile=True)
    yield chrome
    chrome.quit()


def test_a_machine_is_chosen_and_shown_on_a_phone(
    served_process: Served, browser: Chrome, zema: ZemaSource
) -> None:
    asked = cycle_json(zema, 5)
    del asked["signals"]["CE"]
    request = Request(
        f"http://127.0.0.1:{served_process.port}{PATH}",
        json.dumps(asked).encode(),
        {"content-type": "application/json"},
    )
    with urlopen(request) as answer:
        diagnosis = json.load(answer)

    wait = WebDriverWait(browser, 20)
    browser.get(f"http://127.0.0.1:{served_process.port}/")
    button = wait.until(lambda b: b.find_element(By.CSS_SELECTOR, "#fleet button"))
    assert "ZeMA hydraulic test rig" in button.text
    button.click()
    circles = wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "circle[data-component]"))
    (machine,) = zema.machines().values()
    by_component = {each.get_attribute("data-component"): each for each in circles}
    assert list(by_component) == [each.id for each in machine.topology.components]
    for component, circle in by_component.items():
        told = [each["reliable"] for each in diagnosis["components"].get(component, {}).values()]
        expected = _colour(diagnosis["component_health"].get(component))
        assert circle.get_attribute("fill") == (expected if all(told) else "url(#hatch)")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#signals figure path")) == 16
    sound = [
        found
        for heads in (*diagnosis["components"].values(), diagnosis["machine"])
        for found in heads.values()
        if not found["flags"] and not (found["health"] is not None and found["health"] < 0.5)
    ]
    total = 5
    findings = [each.text for each in browser.find_elements(By.CSS_SELECTOR, "#findings li")]
    assert findings == ["None."] or len(findings) == total - len(sound)
    # Nothing sticks out sideways, and nothing went wrong that only the browser knows.
    root: WebElement = browser.find_element(By.TAG_NAME, "html")
    assert int(root.get_property("scrollWidth") or 0) <= 390
    severe = [each for each in browser.get_log("browser") if each["level"] == "SEVERE"]
    assert [each for each in severe if "favicon" not in each["message"]] == []


def _colour(health: float | None) -> str:
    if health is None:
        return "var(--none)"
    return "var(--good)" if health >= 0.8 else "var(--mid)" if health >= 0.5 else "var(--bad)"
