"""Read a YAML file, refusing what YAML silently accepts."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from hydrascope.schemas.errors import SpecError


def load_yaml(path: Path) -> object:
    """Return the plain content of one YAML file.

    Raises:
        SpecError: The file cannot be read, is not YAML, or repeats a key; with file and line.
    """
    try:
        return yaml.load(path.read_bytes(), _Loader)
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise SpecError(f"{place}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: {error}") from None


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses repeated keys and reads `1e3` as the number it is in YAML 1.2."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.value in first:
                problem = f"key {key.value!r} repeats the one in line {first[key.value]}"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            if isinstance(key.value, str):
                first[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)
