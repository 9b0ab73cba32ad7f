"""The YAML dialect of the files that Hydra reads, and errors that name the file."""

import codecs
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from omegaconf.errors import OmegaConfBaseException

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.text import not_utf8
from hydrascope.schemas.yaml_file import follow_yaml_1_2, load_yaml

_LIBRARIES = {"hydra", "omegaconf", "yaml"}


@contextmanager
def yaml_1_2(folders: Sequence[Path]) -> Iterator[None]:
    """Make Hydra read YAML 1.2, as machine and task files are read, and name a faulty file.

    OmegaConf derives its loader from PyYAML's, and offers no choice of another one. So PyYAML's
    loader is changed to YAML 1.2 within this context, and restored afterwards.

    Args:
        folders: The folders that configurations are read from.

    Raises:
        SpecError: A file is not YAML or not UTF-8; names the file, the line and the remedy.
    """
    _refuse_marks(folders)
    loader = yaml.SafeLoader
    before = loader.yaml_implicit_resolvers, loader.yaml_constructors
    loader.yaml_constructors = dict(loader.yaml_constructors)  # a copy, which may change
    follow_yaml_1_2(loader)
    try:
        yield
    except Exception as error:
        if _of_configurations(error):
            for file in _suspects(error, folders):
                load_yaml(file)  # raises our own error
                if isinstance(error, UnicodeDecodeError):
                    raise SpecError(f"{file}: {not_utf8(file.read_bytes())}") from None
            raise SpecError(_reason(error)) from None
        raise
    finally:
        loader.yaml_implicit_resolvers, loader.yaml_constructors = before


def _of_configurations(error: Exception) -> bool:
    """Whether an error was raised where configurations are composed, and not by OmegaConf."""
    if isinstance(error, (SpecError, OmegaConfBaseException)):
        return False
    modules = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = (number for number, name in enumerate(modules) if name.startswith("hydrascope."))
    last = max((number for number in ours if modules[number] != load_yaml.__module__), default=0)
    composing = {name.partition(".")[0] for name in modules[last:]} & _LIBRARIES
    return bool(composing) and isinstance(error, (yaml.YAMLError, RecursionError, ValueError))


def _refuse_marks(folders: Sequence[Path]) -> None:
    """Refuse files that begin with a byte order mark: Hydra would not see their first line.

    Raises:
        SpecError: Naming the first such file.
    """
    for folder in folders:
        for path in folder.rglob("*.yaml"):
            if not path.is_file():
                continue
            with path.open("rb") as file:
                if file.read(3) == codecs.BOM_UTF8:
                    raise SpecError(
                        f"{path}:1: begins with a byte order mark (BOM); save it as UTF-8 without: "
                        "sed -i '1s/^\\xEF\\xBB\\xBF//' FILE"
                    )


def _suspects(error: Exception, folders: Sequence[Path]) -> Iterator[Path]:
    """Yield the files that may have caused an error."""
    mark = isinstance(error, yaml.MarkedYAMLError) and (error.problem_mark or error.context_mark)
    if mark and Path(mark.name).is_file():
        yield Path(mark.name)
    for folder in folders:
        for file in sorted(folder.rglob("*.yaml")):
            if not isinstance(error, UnicodeDecodeError) or error.object in file.read_bytes():
                yield file


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the configurations refer to themselves, in their defaults or by YAML aliases"
    return " ".join(str(error).split())
