"""What a retraining trains with, and when a challenger is not worse."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hydrascope.experiment.job_settings import TrainSettings, validate_train
from hydrascope.experiment.python_call import settings_of_call
from hydrascope.experiment.retrain.champion import check_heads
from hydrascope.experiment.retrain.job import run
from hydrascope.experiment.retrain.judge import finding
from hydrascope.experiment.retrain.settings import RetrainSettings, challenger_settings
from hydrascope.schemas.errors import SpecError

DATABASE = ["data=timescale", "data.source.dsn=postgresql://plant@localhost/plant", "model=linear"]


def _champion(*overrides: str) -> TrainSettings:
    """Return settings as a checkpoint has them."""
    settings = settings_of_call(overrides, {"run_dir": "champion"}, None)
    return validate_train(settings.model_dump(mode="json", by_alias=True))


def _changes(before: Any, after: Any, path: str = "") -> dict[str, Any]:
    if isinstance(before, dict) and isinstance(after, dict):
        found = {}
        for key in before.keys() | after.keys():
            found |= _changes(before.get(key), after.get(key), f"{path}.{key}".strip("."))
        return found
    return {} if before == after else {path: after}


def test_the_champions_own_settings_are_used_but_for_overrides() -> None:
    champion = _champion("model=linear", "seed=3", "data.fold=1")
    settings = challenger_settings(champion, ["model.ridge=7", "data.fold=2"], None, "new")
    plain = [each.model_dump(mode="json", by_alias=True) for each in (champion, settings)]
    assert _changes(*plain) == {"model.ridge": 7.0, "data.fold": 2, "run_dir": "new"}


def test_an_option_of_a_group_composes_all_settings_anew() -> None:
    champion = _champion("model=linear", "seed=3")
    settings = challenger_settings(champion, ["model=mlp", "data.fold=2"], None, "new")
    anew = settings_of_call(["model=mlp", "data.fold=2"], {"run_dir": "new"}, None)
    assert settings == anew
    assert settings.seed != 3


def test_a_database_is_read_up_to_now_whatever_the_champion_read() -> None:
    champion = _champion(*DATABASE, "data.source.until=2026-01-01T00:00:00Z")
    now = datetime.now(UTC)
    source = challenger_settings(champion, [], None, "new").data.source.model_extra
    assert source is not None
    assert now - timedelta(hours=1) < datetime.fromisoformat(source["until"]) < now
    assert abs(datetime.fromisoformat(source["verdicts_until"]) - now) < timedelta(minutes=1)
    given = ["data.source.until=2026-02-01T00:00:00Z"]
    kept = challenger_settings(champion, given, None, "new").data.source.model_extra
    assert kept is not None
    assert kept["until"] == "2026-02-01T00:00:00Z"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("fast", "hydrascope retrain: fast: not of the form key=value or group=option"),
        ("model.rigde=7", "model.rigde"),
    ],
)
def test_a_wrong_override_is_one_line(override: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        challenger_settings(_champion("model=linear"), [override], None, "new")


@pytest.mark.parametrize("model", ["bundles/press", "press@champion", "models:/press/3"])
def test_only_a_model_with_an_alias_can_be_a_champion(model: str, tmp_path: Path) -> None:
    said = rf"model: '{model}' is not accepted; expected models:/NAME@ALIAS, .* export.py"
    with pytest.raises(SpecError, match=said):
        run(RetrainSettings(model=model, uri=f"sqlite:///{tmp_path / 'registry.db'}"), [])
    assert not list(tmp_path.iterdir())


def test_a_champion_without_heads_is_refused() -> None:
    check_heads("models:/rig@champion", _champion("model=linear").task.heads)
    with pytest.raises(SpecError, match=r"model: models:/rig@champion .* train.py, .* export.py"):
        check_heads("models:/rig@champion", ())


@pytest.mark.parametrize(
    ("interval", "found"),
    [
        ([-0.01, 0.05], "not worse"),
        ([0.01, 0.05], "not worse"),
        ([-0.03, 0.05], "unclear"),
        ([-0.02, 0.05], "unclear"),
        ([-0.09, -0.03], "worse"),
        (None, "unclear"),
    ],
)
def test_a_challenger_is_not_worse_if_the_whole_interval_is_above_minus_the_margin(
    interval: list[float] | None, found: str
) -> None:
    assert finding(interval, margin=0.02) == found
