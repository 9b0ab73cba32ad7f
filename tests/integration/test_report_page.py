"""The report of a really trained run, in a real browser."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
from chromium import MISSING, axe_faults, of_each, set_screen, start_chromium
from jobs import evaluate_settings
from npm import packages
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.evaluation.compare import OtherRun
from hydrascope.evaluation.predictions import predict
from hydrascope.experiment import evaluate
from hydrascope.experiment.restore import restore
from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.zema import ZemaSource

WIDTHS = (1280, 400)
CUT = """return [...document.querySelectorAll(".wide, .circuit")]
    .filter((each) => each.scrollWidth > each.clientWidth)
    .map((each) => each.getAttribute("aria-label"))"""
"""Finds tables and drawings that can only be seen whole by scrolling."""
SEEN = """
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const sizes = (selector) => all(selector).map((each) => each.getBoundingClientRect().toJSON());
const [charts, sections] = arguments;
return {
    charts: Object.fromEntries(charts.map((id) => [id, sizes(`#${id} figure.chart svg`)])),
    texts: sections.map((id) => document.getElementById(id).innerText),
    shaded: all("#missing tbody tr").map((row) => all("td", row).map((cell) => cell.innerText)),
    cases: all("article.case").map((each) => ({
        worst: each.closest("#worst") !== null,
        text: each.innerText,
        lines: all("figure.signal polyline", each).length,
        marks: all("figure.signal rect", each).length,
    })),
};"""
"""Returns what of the page is shown, at once: each question to the browser takes a while."""
BUILT = files("hydrascope") / "assets" / "report" / "built"


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
    section = page[page.index('<section id="missing"') :].split("</section>")[0]
    assert ">With a sensor missing</h2>" in section
    assert f"{100 * report['summary']['mean']:.2f} % on average" in section
    assert "With any two missing (5 of 136 pairs)" in section
    heads = [name.lower() for name in re.findall(r"<th>(\w+)<small>", section)]
    rows = re.findall(r'<tr><th scope="row">(.+?)</th>(.+?)</tr>', section)
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
    charts = {"confusion": 5, "precision": 5, "calibration": 5, "severity": 4}
    sections = ("heads", "outcomes", "models", "compared", "missing", "worst", "uncertain")
    seen = browser.execute_script(SEEN, list(charts), sections)
    assert {section: len(drawn) for section, drawn in seen["charts"].items()} == charts
    for size in (size for drawn in seen["charts"].values() for size in drawn):
        assert size["width"] > 200
        assert size["height"] > 150
    assert all(seen["texts"])
    assert len(seen["shaded"]) == 1 + 17
    for figures in seen["shaded"]:
        assert len(figures) == 5
        assert all(re.match(r"\d+\.\d\d %", figure) for figure in figures)
    assert {case["lines"] for case in seen["cases"]} == {17}
    worst = [case for case in seen["cases"] if case["worst"]]
    assert {case["marks"] for case in worst} == {17 * 10}
    for case in worst:
        assert re.search(r"component \w+, sensors \w+ \(\d+ %\)", case["text"])
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    if width == max(WIDTHS):
        assert browser.execute_script(CUT) == []
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


@pytest.mark.skipif(MISSING, reason="no chromium and chromedriver")
def test_the_verdict_comes_first_and_the_contents_lead_everywhere(
    judged: Path, browser: Chrome
) -> None:
    set_screen(browser, max(WIDTHS), 900, mobile=False)
    browser.get((judged / "report.html").as_uri())
    first, *_ = browser.find_elements(By.CSS_SELECTOR, "main section")
    assert first.get_attribute("id") == "verdict"
    report = json.loads((judged / "evaluation.json").read_text())
    for head, metrics in report["judged"].items():
        assert f"{head.capitalize()}: accuracy {100 * metrics['accuracy']['value']:.2f} %" in (
            first.text
        )
    links = of_each(browser, "nav.contents a", "each.getAttribute('href')")
    assert links == of_each(browser, "main section:not(#verdict)", "`#${each.id}`")
    names = {*of_each(browser, "#confusion text", "each.textContent")}
    assert {"no", "leakage"} <= {word for name in names for word in name.split()}
    assert axe_faults(browser, packages() / "axe-core" / "axe.min.js") == []


@pytest.mark.skipif(MISSING, reason="no chromium and chromedriver")
def test_a_machine_is_drawn_as_on_the_services_page(judged: Path, browser: Chrome) -> None:
    browser.get((judged / "report.html").as_uri())
    drawn = of_each(
        browser, "#machines g[data-component]", "[each.dataset.component, each.dataset.state]"
    )
    states = dict(drawn)
    assert {name for name, state in states.items() if state != "unjudged"} == {
        "accumulator",
        "cooler",
        "main_pump",
        "valve",
    }
    assert len(states) > 4
    assert browser.find_elements(By.CSS_SELECTOR, "#machines [role=button]") == []
    legend = browser.find_element(By.CSS_SELECTOR, "#machines ul[aria-label=Health]").text
    for word in ("Sound", "Degraded", "Faulty", "Cannot tell", "Not judged"):
        assert word in legend


@pytest.mark.skipif(MISSING, reason="no chromium and chromedriver")
def test_what_nobody_can_tell_is_hatched(browser: Chrome, tmp_path: Path) -> None:
    machine = ZemaSource().machines()["zema"]
    drawing = {
        "topology": machine.topology.model_dump(mode="json"),
        "health": {"valve": None, "cooler": 0.95},
        "missing": ["PS1"],
    }
    page = tmp_path / "page.html"
    page.write_text(
        f"<style>{(BUILT / 'report.css').read_text('utf-8')}</style><div data-machine>"
        f"<script type='application/json'>{json.dumps(drawing)}</script></div>"
        f"<script type='module'>{(BUILT / 'report.js').read_text('utf-8')}</script>"
    )
    browser.get(page.as_uri())
    fills = {
        name: browser.find_element(By.CSS_SELECTOR, f"g[data-component={name}] .ground")
        for name in ("valve", "cooler")
    }
    pattern = re.fullmatch(r"url\(#(.+)\)", str(fills["valve"].get_dom_attribute("fill")))
    assert pattern is not None
    assert browser.find_elements(By.ID, pattern[1])
    assert fills["cooler"].get_dom_attribute("fill") is None
    (missing,) = browser.find_elements(By.CSS_SELECTOR, "g.sensor.is-missing")
    assert missing.get_attribute("data-sensor") == "PS1"


def _lightness(colour: str) -> float:
    return sum(float(each) for each in re.findall(r"[\d.]+", colour)[:3]) / 3
