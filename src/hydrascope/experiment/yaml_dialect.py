"""The configuration files that Hydra reads: in which YAML, and what is wrong with one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from hydrascope.schemas.yaml_file import follow_yaml_1_2, load_yaml


@contextmanager
def yaml_1_2(folders: Sequence[Path]) -> Iterator[None]:
    """Have Hydra read YAML 1.2, as we read machine and task files, and name a file at fault.

    OmegaConf derives its loader from PyYAML's, and lets nobody choose another one. So that one
    reads YAML 1.2 meanwhile, and is as it was afterwards.

    Args:
        folders: That configurations are read from.

    Raises:
        SpecError: A file is no YAML or no UTF-8; with file, line and remedy.
    """
    loader = yaml.SafeLoader
    before = loader.yaml_implicit_resolvers, loader.yaml_constructors
    loader.yaml_constructors = dict(loader.yaml_constructors)  # its own, which may change
    follow_yaml_1_2(loader)
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark is not None and Path(mark.name).is_file():
            load_yaml(Path(mark.name))  # says it in our words
        raise
    except UnicodeDecodeError as error:
        for file in (file for folder in folders for file in sorted(folder.rglob("*.yaml"))):
            if error.object in file.read_bytes():
                load_yaml(file)
        raise
    finally:
        loader.yaml_implicit_resolvers, loader.yaml_constructors = before
