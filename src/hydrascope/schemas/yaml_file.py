"""Reading of YAML 1.2 files, with checks that YAML itself lacks."""

import codecs
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.text import not_utf8

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_BASES = {"0o": 8, "0x": 16}


def load_yaml(path: Path) -> object:
    """Return the plain content of one YAML file.

    Raises:
        SpecError: The file cannot be read, is not YAML, or repeats a key.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror}; expected a YAML file") from None
    try:
        return yaml.load(content, _FastLoader)
    except yaml.YAMLError:
        pass  # the other loader says better where and why
    try:
        return yaml.load(content, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        problem = f"{error.problem or error.context}"
        remedy = "; indent with spaces" if "'\\t'" in problem else ""
        raise SpecError(f"{place}: {problem}{remedy}") from None
    except yaml.reader.ReaderError as error:
        line = content[: error.position].count(b"\n") + 1
        raise SpecError(f"{path}:{line}: {_unreadable(content, error)}") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise SpecError(f"{path}: nested too deeply to be read") from None


def _unreadable(content: bytes, error: yaml.reader.ReaderError) -> str:
    """Return why bytes are not the text of a YAML file."""
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "encoded in UTF-32; expected UTF-8: iconv -f UTF-32 -t UTF-8 FILE > NEW"
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        content.decode()
    except UnicodeDecodeError:
        return f"not UTF-16 ({error.reason})" if marked else not_utf8(content)
    return f"a character that YAML does not allow ({error.reason}); take it out"


class _OneOfEachKey(yaml.constructor.SafeConstructor):
    """Refuses repeated keys."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # of a number of thousands of digits, or no date
            raise yaml.constructor.ConstructorError(
                None, None, str(error), node.start_mark
            ) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag == f"{_TAG}merge":
                continue
            if not isinstance(key, yaml.ScalarNode):
                problem = "a key that is a list or a mapping; expected text"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            if key.value in first:
                problem = f"key {key.value!r} repeats the one in line {first[key.value]}; keep one"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            first[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


class _Loader(_OneOfEachKey, yaml.SafeLoader):
    """Reads the core schema of YAML 1.2 and refuses repeated keys.

    PyYAML reads YAML 1.1, in which `010` is 8, `1:30` is 90, `1e3` is text and `no` is false.
    """


class _FastLoader(_OneOfEachKey, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads the same ten times as fast where PyYAML was built with libyaml."""


def follow_yaml_1_2(loader: type[yaml.SafeLoader]) -> None:
    """Make a loader, and classes derived from it later, read scalars as in YAML 1.2."""
    loader.yaml_implicit_resolvers = {}
    for kind, pattern, first in (
        ("merge", re.compile("<<"), "<"),
        ("null", re.compile("~|null|Null|NULL|"), ["~", "n", "N", ""]),
        ("bool", re.compile("true|True|TRUE|false|False|FALSE"), "tTfF"),
        ("int", _INT, "-+0123456789"),
        ("float", _FLOAT, "-+.0123456789"),
    ):
        whole = re.compile(f"(?:{pattern.pattern})$")
        loader.add_implicit_resolver(_TAG + kind, whole, list(first))
    loader.add_constructor(f"{_TAG}int", _integer)
    loader.add_constructor(f"{_TAG}float", _real)


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int | str:
    text = str(loader.construct_scalar(node))
    if not _INT.fullmatch(text):
        return text
    base = _BASES.get(text[:2], 10)
    return int(text[2:] if base != 10 else text, base)


def _real(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float | str:
    text = str(loader.construct_scalar(node))
    return float(loader.construct_yaml_float(node)) if _FLOAT.fullmatch(text) else text


follow_yaml_1_2(_Loader)
follow_yaml_1_2(_FastLoader)
