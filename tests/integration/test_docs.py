"""The documentation site is built as `make docs` builds it, and shows what the code says."""

import json
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
import yaml
from jobs import ROOT

import hydrascope
from hydrascope.schemas import SENSOR_UNITS, ComponentType, EdgeType, json_schema
from hydrascope.serving.settings import ServeSettings


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build the site, and keep everything that was said of it."""
    command = ["-m", "mkdocs", "build", "--strict", "--config-file", config, "--site-dir", site]
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def written() -> dict[Path, int]:
    """When each file of the clone was written.

    Other tests ask git meanwhile, and run the README's commands, whose runs are in outputs.
    """
    paths = (*ROOT.iterdir(), *ROOT.glob("docs/**/*"))
    others = (".git", "outputs")
    return {path: path.stat().st_mtime_ns for path in paths if path.name not in others}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built from this clone into a folder elsewhere."""
    folder = tmp_path_factory.mktemp("site")
    before = written()
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stdout
    assert written() == before
    return folder


def page(site: Path, name: str) -> str:
    """Return a page as it is written, its characters as such."""
    return unescape((site / name / "index.html").read_text("utf-8"))


def test_every_page_of_the_repository_is_a_page_of_the_site(site: Path) -> None:
    for file in (ROOT / "docs").glob("**/*.md"):
        assert (site / file.relative_to(ROOT / "docs").with_suffix("") / "index.html").is_file()
    assert "Every choice, from the data source to the hardware, is a config" in page(site, ".")


def test_every_notebook_is_a_page_with_what_it_has_printed_and_drawn(site: Path) -> None:
    for file in (ROOT / "docs" / "notebooks").glob("*.ipynb"):
        text = page(site, f"notebooks/{file.stem}")
        cells = json.loads(file.read_text("utf-8"))["cells"]
        for cell in cells:
            if cell["cell_type"] == "code":
                assert cell["execution_count"], f"{file.name} was committed without its outputs"
        shown = [out for cell in cells for out in cell.get("outputs", ()) if "data" in out]
        pictures = [out for out in shown if "image/png" in out["data"]]
        tables = [out for out in shown if "<table" in "".join(out["data"].get("text/html", ""))]
        assert len(list((site / "notebooks").glob(f"{file.stem}_*.png"))) == len(pictures)
        linked = sum("".join(cell["source"]).count("![") for cell in cells)
        assert text.count("<img") == len(pictures) + linked
        assert text.count("<table>") == len(tables) > 0


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    folder = site / "reference" / "python"
    text = "".join(file.read_text("utf-8") for file in folder.glob("*/index.html"))
    for name in set(hydrascope.__all__) - {"__version__"}:
        assert re.search(rf'id="hydrascope\.[\w.]+\.{name}"', text), name


def test_every_decision_is_listed_by_its_number_and_title() -> None:
    overview = (ROOT / "docs" / "design.md").read_text("utf-8")
    for file in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        title = file.read_text("utf-8").splitlines()[0].removeprefix("# ")
        number, _, said = title.partition(". ")
        assert file.name.startswith(f"{int(number):04}-")
        assert f"{number}. [{said}](decisions/{file.name})" in overview


def test_the_reference_has_every_kind_unit_and_key_of_machine_files(site: Path) -> None:
    text = page(site, "reference/machine")
    units = {unit for accepted in SENSOR_UNITS.values() for unit in accepted}
    keys = {key for model in models("machine") for key in model["properties"]}
    for word in {*ComponentType, *EdgeType, *SENSOR_UNITS, *units, *keys}:
        assert f"<code>{word}</code>" in text


def test_the_reference_has_every_key_of_task_files(site: Path) -> None:
    text = page(site, "reference/task")
    for key in {key for model in models("task") for key in model["properties"]}:
        assert f"<code>{key}</code>" in text


def test_the_reference_has_every_key_of_duty_files(site: Path) -> None:
    text = page(site, "reference/duty")
    for key in {key for model in models("duty") for key in model["properties"]}:
        assert f"<code>{key}</code>" in text


def models(file: str) -> list[dict[str, dict[str, object]]]:
    """Return the schemas of all that a kind of file is made of."""
    schema = json_schema(file)
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    return [each for each in (schema, *definitions.values()) if "properties" in each]


def test_the_reference_has_every_option_of_every_group_with_its_keys(site: Path) -> None:
    for file in (ROOT / "conf").glob("*/*.yaml"):
        group, option = file.parent.name, file.stem
        text = page(site, f"reference/configurations/{group}")
        assert option == "base" or f"<code>{group}={option}</code>" in text
        content = file.read_text("utf-8")
        place = "" if content.startswith("# @package _global_") else f"{group}."
        for key in yaml.safe_load(content).keys() - {"defaults", "hydra"}:
            assert f"<code>{place}{key}<" in text or f"<code>{place}{key}." in text


def test_a_default_stands_beside_what_its_comment_says(site: Path) -> None:
    row = "<td><code>data.fold</code></td>\n<td><code>0</code></td>\n<td>Which of the folds is the"
    assert row in page(site, "reference/configurations/data")


def test_the_reference_has_every_setting_and_status_of_the_service(site: Path) -> None:
    text = page(site, "reference/serving")
    for setting in ServeSettings.model_fields:
        assert f"<td><code>{setting}</code></td>" in text
    for status in (400, 401, 403, 404, 413, 422, 429, 500, 503, 504):
        assert f"<td>{status}</td>" in text


def test_the_reference_has_what_a_model_of_ones_own_is_made_of(site: Path) -> None:
    text = page(site, "reference/python/models")
    for name in ("Network", "ClosedFormModel", "ModelOutput"):
        assert f'id="hydrascope.models.base.{name}"' in text


def test_dead_links_fail_the_build_and_are_named(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    with (tmp_path / "docs" / "package.md").open("a") as file:
        file.write("[a](nowhere.md) [b](../src/nowhere.py) [c](serving.md#nothing) [d](#none)\n")
        file.write("[e](reference/task.md)\n")  # on the site, but not on the repository's host
    config = tmp_path / "mkdocs.yml"
    config.write_text(
        f"INHERIT: {ROOT / 'mkdocs.yml'}\nhooks: [{ROOT / 'docsite' / 'hook.py'}]\n"
        "plugins: [search]\nwatch: []\n"  # the pages of the Python interface stay empty
    )
    done = build(config, tmp_path / "site")
    assert done.returncode == 1
    for said in (
        "docs/package.md: a link leads to nowhere.md, which is not there",
        "docs/package.md: a link leads to ../src/nowhere.py, which is not there",
        "docs/package.md: a link leads to reference/task.md, which is not there",
        "'serving.md' does not contain an anchor '#nothing'",
        "contains a link '#none', but there is no such anchor on this page",
    ):
        assert said in done.stdout
