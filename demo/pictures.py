"""`python -m demo.pictures PAGE`: take pictures of a running demo, for the documentation.

PAGE is the address that the demo prints. Both faults should have raised an alarm before.
"""

import sys
import tempfile
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from tests.integration.chromium import set_screen, start_chromium

from demo.model import ROOT

_FOLDER = ROOT / "docs" / "images"
_VIEWS = {"fleet": ("", "tr .severity"), "machine": ("machines/rig_4", ".chart canvas")}
"""By picture: the view, and what it shows once it is complete."""


def main(page: str) -> None:
    """Write a picture of each view.

    Args:
        page: Address of the page.
    """
    with tempfile.TemporaryDirectory() as profile:
        chrome = start_chromium(Path(profile))
        try:
            set_screen(chrome, 1280, 1000, mobile=False)
            for name, (view, shown) in _VIEWS.items():
                _show(chrome, f"{page}#/{view}", shown)
                chrome.save_screenshot(str(_FOLDER / f"page_{name}.png"))
        finally:
            chrome.quit()


def _show(chrome: Chrome, address: str, shown: str) -> None:
    chrome.get("about:blank")
    chrome.get(address)
    WebDriverWait(chrome, 30).until(lambda b: b.find_element(By.CSS_SELECTOR, shown))


if __name__ == "__main__":
    main(sys.argv[1])
