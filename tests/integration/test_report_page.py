"""The report of a really trained run, in a real browser."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from chromium import MISSING, set_screen, start_chromium
from jobs import evaluate_settings
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.evaluation.compare import OtherRun
from hydrascope.evaluation.predictions import predict
from hydrascope.experiment import evaluate
from hydrascope.experiment.restore import restore
from hydrascope.schemas.errors import SpecError

WIDTHS = (1280, 400)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    chrome = start_chromium(tmp_path_factory.mktemp("browser"))
    yield chrome
    chrome.quit()


def test_the_page_asks_for_nothing_but_itself(judged: Path) -> None:
    page = (judged / "report.html").read_text()
    linked = re.findall(r"""(?:src|href)=["']([^"'#][^"']*)""", page)
    assert linked == ["data:,"]
    assert "<image" not in page  # pictures are lines and text
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)


def test_the_page_says_what_missing_sensors_cost(judged: Path) -> None:
    report = json.loads((judged / "evaluation.json").read_text())["missing_sensors"]
    page = (judged / "report.html").read_text()
    section = page[page.index('<section id="missing">') :].split("</section>")[0]
    assert "<h2>With a sensor missing</h2>" in section
    assert f"{100 * report['summary']['mean']:.2f} % on average" in section
    assert "With any two missing (5 of 136 pairs)" in section
    heads = re.findall(r"<th>(\w+)<small>", section)
    rows = re.findall(r"<tr><td>(.+?)</td>(.+?)</tr>", section)
    assert [name for name, _ in rows] == ["none missing", *(s["sensor"] for s in report["sensors"])]
    for (_, cells), sensor in zip(rows[1:], report["sensors"], strict=True):
        found = re.findall(r">(\d+\.\d\d) %", cells)
        assert found == [f"{100 * sensor['heads'][head]['value']:.2f}" for head in heads]
    other = json.loads((Path(_compared(judged)) / "evaluation.json").read_text())
    assert "missing_sensors" not in other  # switched off
    assert 'id="missing"' not in (Path(_compared(judged)) / "report.html").read_text()


def _compared(judged: Path) -> str:
    return str(json.loads((judged / "evaluation.json").read_text())["compared"]["name"])


def test_a_run_beside_itself_differs_by_nothing_and_another_by_what_it_does(
    best: str, judged: Path
) -> None:
    _, diagnoser, data = restore(best)
    bootstrap = Bootstrap.of("conditions", data.units, data.split.test)
    predictions = predict(diagnoser, data.test_dataloader())
    same = OtherRun(str(judged)).compared(
        diagnoser.heads, predictions, diagnoser.thresholds, data, bootstrap
    )
    assert same.keys() == {head.name for head in diagnoser.heads}
    for found in same.values():
        assert found["rows"] == 440
        for metric in found["metrics"].values():
            assert metric["difference"] == 0
            assert metric["interval"] == [0, 0]
    report = json.loads((judged / "evaluation.json").read_text())
    table = pd.read_parquet(judged / "predictions.parquet")
    other = pd.read_parquet(Path(report["compared"]["name"]) / "predictions.parquet")
    for head, found in report["compared"]["heads"].items():
        accuracy = [
            (answers["answer"].map(_chosen) == answers["target"].str[0]).mean()
            for answers in (each[each["head"] == head] for each in (table, other))
        ]
        metric = found["metrics"]["accuracy"]
        assert [metric["this"], metric["other"]] == pytest.approx(accuracy)
        low, high = metric["interval"]
        assert low <= metric["difference"] <= high


def _chosen(answer: list[float]) -> int:
    if len(answer) == 1:
        return int(answer[0] > 0.5)
    return max(range(len(answer)), key=answer.__getitem__)


def test_a_folder_without_an_evaluation_cannot_be_compared_with(best: str, tmp_path: Path) -> None:
    settings = evaluate_settings(best, tmp_path / "e", compare=str(tmp_path))
    with pytest.raises(SpecError, match=r"compare: .* holds no evaluation.json; accepted"):
        evaluate.run(settings)


def test_where_conditions_are_known_the_error_is_told_by_their_severity(judged: Path) -> None:
    report = json.loads((judged / "evaluation.json").read_text())
    valve = report["severity"]["valve"]
    # 100 %, 90 %, 80 % and 73 % of a valve that switches as it should.
    assert [each["severity"] for each in valve] == pytest.approx([0, 10 / 27, 20 / 27, 1])
    assert sum(each["rows"] for each in valve) == 440
    wrong = sum(each["error"] * each["rows"] for each in valve) / 440
    assert wrong == pytest.approx(1 - report["test"]["valve"]["accuracy"])
    assert report["severity"]["stable"] == []  # the rig does not say how unstable a cycle is


@pytest.mark.skipif(MISSING, reason="no chromium and chromedriver")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_whole_and_fits_the_screen(
    judged: Path, browser: Chrome, width: int, scheme: str
) -> None:
    set_screen(browser, width, 900, mobile=width < 600)
    preference = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", preference)
    browser.get_log("browser")
    browser.get((judged / "report.html").as_uri())
    expected = {
        "confusion": 5,
        "precision": 5,
        "calibration": 5,
        "severity": 4,
        "machines": 1,
    }
    for section, count in expected.items():
        drawn = browser.find_elements(By.CSS_SELECTOR, f"#{section} figure.chart svg")
        assert len(drawn) == count, section
        for svg in drawn:
            assert svg.size["width"] > 200
            assert svg.size["height"] > 150
    for section in ("heads", "outcomes", "models", "compared", "missing", "worst", "uncertain"):
        assert browser.find_element(By.ID, section).text
    shaded = browser.find_elements(By.CSS_SELECTOR, "#missing tbody tr")
    assert len(shaded) == 1 + 17
    for row in shaded:
        figures = row.find_elements(By.CSS_SELECTOR, "td:not(:first-child)")
        assert len(figures) == 5
        assert all(re.match(r"\d+\.\d\d %", cell.text) for cell in figures)
    for case in browser.find_elements(By.CSS_SELECTOR, "article.case"):
        assert len(case.find_elements(By.CSS_SELECTOR, "figure.signal polyline")) == 17
    for case in browser.find_elements(By.CSS_SELECTOR, "#worst article.case"):
        assert re.search(r"component \w+, sensors \w+ \(\d+ %\)", case.text)
        assert len(case.find_elements(By.CSS_SELECTOR, "figure.signal rect")) == 17 * 10
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    # What is drawn in the page's own ink can be read on its paper.
    ink, paper = (
        browser.execute_script(
            f"return getComputedStyle(document.querySelector('{element}')).{what}"
        )
        for element, what in (("#heads td", "color"), ("body", "backgroundColor"))
    )
    assert abs(_lightness(ink) - _lightness(paper)) > 150
    assert (_lightness(paper) < 100) == (scheme == "dark")
    text = browser.find_element(By.CSS_SELECTOR, "#severity figure text")
    assert text.value_of_css_property("fill").startswith(ink.removesuffix(")")[:3])
    smallest = browser.execute_script(
        "return Math.min(...[...document.querySelectorAll('.charts svg text')]"
        ".map(t => t.getBoundingClientRect().height).filter(h => h > 0))"
    )
    assert smallest >= 7
    severe = [each for each in browser.get_log("browser") if each["level"] == "SEVERE"]
    assert severe == []


def _lightness(colour: str) -> float:
    return sum(float(each) for each in re.findall(r"[\d.]+", colour)[:3]) / 3
