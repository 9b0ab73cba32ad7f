"""A real browser for pages; tests are skipped where there is none (Debian: chromium-driver)."""

import shutil
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service as Driver

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = not (BROWSER and DRIVER)


def start_chromium(profile: Path, *arguments: str) -> Chrome:
    """Start a browser without a window, its profile in a folder of its own."""
    assert BROWSER is not None
    options = ChromeOptions()
    options.binary_location = BROWSER
    for argument in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "no-first-run",
        "disable-background-networking",
        f"user-data-dir={profile}",
        *arguments,
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Chrome(options=options, service=Driver(DRIVER))


def set_screen(chrome: Chrome, width: int, height: int, *, mobile: bool) -> None:
    """Make the page as wide as such a screen shows it."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": mobile}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def of_each(chrome: Chrome, selector: str, expression: str) -> list[Any]:
    """Return what an expression in JavaScript says of each element, asked for at once."""
    script = f"return [...document.querySelectorAll(arguments[0])].map((each) => {expression})"
    return list(chrome.execute_script(script, selector))


def axe_faults(chrome: Chrome, script: Path) -> list[str]:
    """Return the serious and critical faults that axe-core finds, with the first place of each."""
    chrome.execute_script(script.read_text("utf-8"))
    found = chrome.execute_async_script(
        "const done = arguments[0];"
        "axe.run().then(({violations}) => done(violations.map("
        "  ({id, impact, nodes}) => [impact, `${id}: ${nodes[0].html}`])));"
    )
    return [fault for impact, fault in found if impact in ("serious", "critical")]
