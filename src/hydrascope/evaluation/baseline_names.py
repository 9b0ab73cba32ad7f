"""The baselines by their names in the setting `baselines`; imports nothing heavy."""

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator

BaselineName = Literal[
    "lda", "ridge", "nearest_neighbours", "extra_trees", "random_forest", "lightgbm"
]
NAMES: tuple[BaselineName, ...] = get_args(BaselineName)


def _known(setting: object) -> object:
    named = isinstance(setting, list | tuple) and all(name in NAMES for name in setting)
    if not (named or isinstance(setting, bool) or setting == "all"):
        raise ValueError(f"expected true, false, all, or a list of {', '.join(NAMES)}")
    return setting


Baselines = Annotated[bool | Literal["all"] | tuple[BaselineName, ...], BeforeValidator(_known)]
"""Which baselines a training fits: the quick ones, none, all, or those named."""

QUICK: tuple[BaselineName, ...] = ("lda", "extra_trees", "ridge", "nearest_neighbours")


def chosen_baselines(setting: Baselines) -> tuple[BaselineName, ...]:
    """Return the names of the baselines that a setting chooses."""
    if isinstance(setting, bool):
        return QUICK if setting else ()
    return NAMES if setting == "all" else setting
