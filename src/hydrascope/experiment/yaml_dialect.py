"""The YAML dialect of the files that Hydra reads, and errors that name the file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from hydrascope.schemas.yaml_file import follow_yaml_1_2, load_yaml


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
    loader = yaml.SafeLoader
    before = loader.yaml_implicit_resolvers, loader.yaml_constructors
    loader.yaml_constructors = dict(loader.yaml_constructors)  # a copy, which may change
    follow_yaml_1_2(loader)
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark is not None and Path(mark.name).is_file():
            load_yaml(Path(mark.name))  # raises our own error
        raise
    except UnicodeDecodeError as error:
        for file in (file for folder in folders for file in sorted(folder.rglob("*.yaml"))):
            if error.object in file.read_bytes():
                load_yaml(file)
        raise
    finally:
        loader.yaml_implicit_resolvers, loader.yaml_constructors = before
