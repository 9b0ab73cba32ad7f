"""Swagger UI shows the HTTP interface without any other site, in a real browser."""

from collections.abc import Iterator

import pytest
from chromium import MISSING, start_chromium
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from tests.support.services import Served

pytestmark = pytest.mark.skipif(MISSING, reason="no chromium and chromedriver")
NOWHERE = "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""A browser of a plant without the internet."""


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    chrome = start_chromium(tmp_path_factory.mktemp("offline"), NOWHERE)
    yield chrome
    chrome.quit()


def test_a_route_is_tried_out_in_the_browser(served_process: Served, offline: Chrome) -> None:
    base = f"http://127.0.0.1:{served_process.port}"
    wait = WebDriverWait(offline, 60)
    offline.get(f"{base}/docs#/fleet/list_equipment_v1_equipment_get")
    wait.until(lambda b: b.find_element(By.CSS_SELECTOR, ".opblock.is-open"))
    assert offline.find_element(By.CSS_SELECTOR, "button.authorize")  # for the API key
    offline.find_element(By.CSS_SELECTOR, ".try-out__btn").click()
    wait.until(lambda b: b.find_element(By.CSS_SELECTOR, "button.execute")).click()
    answer = wait.until(lambda b: b.find_element(By.CSS_SELECTOR, ".live-responses-table"))
    assert "ZeMA hydraulic test rig" in answer.text
    assert [each for each in offline.get_log("browser") if each["level"] == "SEVERE"] == []
    asked = offline.execute_script(
        "return performance.getEntriesByType('resource').map(({name}) => name)"
    )
    assert all(each.startswith((base, "data:")) for each in asked)
