"""Composing a configuration without running a job, and the help text that shows it."""

from collections.abc import Sequence
from pathlib import Path
from string import Template

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from hydrascope.experiment.config_files import options, places
from hydrascope.experiment.overrides import readable
from hydrascope.experiment.search_path import looking_first_into
from hydrascope.experiment.yaml_dialect import yaml_1_2


def composed(
    name: str, overrides: Sequence[str], conf: Path, own: Path | None = None, *, hydra: bool = False
) -> DictConfig:
    """Compose `<name>.yaml` as a job would.

    Args:
        name: Name of the primary file.
        overrides: Overrides as on the command line.
        conf: Folder of the configuration groups.
        own: Folder of the user's own files, which hide files of `conf`.
        hydra: Whether to keep Hydra's own configuration.
    """
    folders = places(conf, own)
    with (
        yaml_1_2(folders),
        looking_first_into(own),
        initialize_config_dir(str(conf.resolve()), version_base="1.3"),
    ):
        return compose(name, readable(overrides, options(folders)), return_hydra_config=hydra)


def help_text(
    name: str, overrides: Sequence[str], conf: Path, own: Path | None, command: str
) -> str:
    """Return the text of `--help`: `hydra.help.template` with its variables filled in.

    Hydra's own help composes once more for every group, which doubles the time.
    """
    config = composed(name, overrides, conf, own, hydra=True)
    template = Template(config.hydra.help.template)
    shown = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    groups = options(places(conf, own))
    return template.safe_substitute(
        COMMAND=command,
        APP_CONFIG_GROUPS="\n".join(f"{group}: {', '.join(groups[group])}" for group in groups),
        CONFIG=OmegaConf.to_yaml(shown),
    )
