"""The pages are written in short sentences and plain words."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "deploy" / "README.md",
    *sorted((ROOT / "docs").glob("**/*.md")),
)
MOST_WORDS = 30
AVOIDED = (
    *("told", "of then", "of before", "by heart", "thereof", "whilst", "whoever"),
    *("utilize", "utilise", "leverage", "in order to", "prior to"),
    *("simply", "obviously", "of course", "a row a", "a column a"),
)
LEFT_OUT = (
    re.compile(r"^<!-- ([\w ]+) -->$.*?^<!-- /\1 -->$", re.DOTALL | re.MULTILINE),  # measured
    re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE),
    re.compile(r"^(?:\||#|    (?!- )).*$", re.MULTILINE),  # a table, a title, indented code
)
PARAGRAPH = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )")
SENTENCE_END = re.compile(r"(?<=[.!?])[)*_\"]*\s+(?=[(*_\"`\[]*[A-Z0-9`])")


def sentences(markdown: str) -> list[str]:
    """Return the sentences of a page: code in a line is one word, a link its text."""
    for pattern in LEFT_OUT:
        markdown = pattern.sub("\n", markdown)
    markdown = re.sub(r"`[^`]+`", "`code`", markdown)
    markdown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    parts = [end for part in PARAGRAPH.split(markdown) for end in SENTENCE_END.split(part)]
    return [" ".join(part.split()) for part in parts if part.strip()]


def words(sentence: str) -> int:
    """Count what has a letter or a digit in it."""
    return sum(bool(re.search(r"\w", word)) for word in sentence.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_sentence_is_long(page: Path) -> None:
    found = sentences(page.read_text("utf-8"))
    assert found
    assert [each for each in found if words(each) > MOST_WORDS] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_words_are_plain(page: Path) -> None:
    avoided = re.compile(rf"\b(?:{'|'.join(AVOIDED)})\b", re.IGNORECASE)
    found = sentences(page.read_text("utf-8"))
    assert [each for each in found if avoided.search(each)] == []


def test_a_sentence_ends_where_a_reader_ends_it() -> None:
    page = """# Title. Not a sentence

One costs 0.5 s. Two, `a. B`, is [a link. It](x.md)!
- Three? *Four.* `five` begins with code, i.e. is one.

```python
not = "a sentence. At all"
```
| a table. | It is none. |
"""
    assert sentences(page) == [
        "One costs 0.5 s.",
        "Two, `code`, is a link.",
        "It!",
        "- Three?",
        "*Four.",
        "`code` begins with code, i.e. is one.",
    ]
