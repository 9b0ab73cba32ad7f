"""Hooks that MkDocs calls while it builds the site. `mkdocs.yml` names this file."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docsite.api_pages import api_pages
from docsite.conf_pages import conf_pages
from docsite.links import Repository
from docsite.notebook_pages import notebook_files, notebook_pages
from docsite.schema_pages import duty_page, machine_page, task_page
from docsite.serving_page import serving_page

ROOT = Path(__file__).parents[1]
TOP = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md"}
"""Files at the top of the repository that are pages too: file → page."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages that come in numbers, below the headings that wait for them."""
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    pages = {
        "Configurations": list(conf_pages(ROOT)),
        "Python": list(api_pages()),
        "Decisions": [f"decisions/{record.name}" for record in records],
    }
    assert config.nav is not None
    for section in config.nav:
        for entries in section.values():
            if isinstance(entries, list):
                for entry in entries:
                    for title in pages.keys() & entry.keys():
                        entry[title] = pages[title]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are made of the code, and those that are files at the top."""
    made: dict[str, str | bytes] = {
        "reference/machine.md": machine_page(),
        "reference/task.md": task_page(),
        "reference/duty.md": duty_page(),
        "reference/serving.md": serving_page(ROOT),
        **conf_pages(ROOT),
        **api_pages(),
        **notebook_pages(ROOT),
    }
    for file, page in TOP.items():
        made[page] = (ROOT / file).read_text("utf-8")
    for page, content in made.items():
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links that lead to other files of the repository lead to them on its host."""
    file = {made: top for top, made in TOP.items()}.get(page.file.src_uri)
    pages = TOP | notebook_files(ROOT)
    repository = Repository(ROOT, str(config.repo_url), pages, set(files.src_uris))
    return repository.rewritten(markdown, file or f"docs/{page.file.src_uri}", page.file.src_uri)
