"""Single features by their names in any order, and features of the user's own."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from own_functions import crest

from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.own import load_features, source_digests
from hydrascope.schemas.errors import SpecError, validate

EVERY = FeatureConfig(frequency=True, temporal=True, levels=True)
X = torch.randn(3, 40, generator=torch.Generator().manual_seed(0))
OWN = {"crest": "own_functions.crest", "length_s": "own_functions.duration_s"}


@given(st.data())
def test_any_subset_in_any_order_is_that_of_all_features(data: st.DataObject) -> None:
    every = EVERY.sensor_feature_names
    names = data.draw(st.lists(st.sampled_from(every), unique=True, min_size=1))
    # The switches of the groups do not matter.
    engineer = FeatureEngineer(FeatureConfig(names=tuple(names), statistical=False))
    assert engineer.feature_names == tuple(names)
    assert engineer.num_features == len(names)
    columns = [every.index(name) for name in names]
    assert torch.equal(engineer(X, 10.0), FeatureEngineer(EVERY)(X, 10.0)[..., columns])


def test_without_names_nothing_is_reordered() -> None:
    names = FeatureConfig().sensor_feature_names
    assert names[:4] == ("mean", "std", "min", "max")
    assert names[-1] == "patch_5"
    assert torch.equal(
        FeatureEngineer()(X, 1.0), FeatureEngineer(FeatureConfig(names=names))(X, 1.0)
    )


def test_counts_of_groups_are_those_of_the_names() -> None:
    config = FeatureConfig(names=("patch_1", "mean", "level", "std"))
    counts = (config.statistical_count, config.levels_count, config.patch_count)
    assert counts == (2, 1, 1)
    assert (config.frequency_count, config.sensor_feature_count) == (0, 4)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"names": ["mean", "medean"]}, "names: no feature 'medean'; there is: mean, std"),
        ({"names": ["mean", "mean"]}, "holds a value twice"),
        ({"names": []}, "names: "),
        ({"names": ["std"], "hydraulic": True}, "computed from the sensors' means"),
        ({"own": {"mean": "a.b"}}, "own.mean: a feature has this name already"),
        ({"own": {"crest": "crest"}}, "own.crest: .*an import path, such as package.module.name"),
    ],
)
def test_names_without_sense_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        validate(FeatureConfig, keys)


@pytest.mark.parametrize("n", [1, 4])
def test_a_patch_of_one_is_the_first_sample(n: int) -> None:
    x = X[:, :n]
    engineer = FeatureEngineer(FeatureConfig(names=("patch_0",), patch_length=1))
    assert torch.equal(engineer(x, 1.0), x[:, :1])


def test_own_features_stand_before_the_patch_or_where_they_are_named() -> None:
    config = FeatureConfig(own=OWN)
    assert config.sensor_feature_names[11:13] == ("crest", "length_s")
    assert config.sensor_feature_names[-1] == "patch_5"
    named = FeatureEngineer(FeatureConfig(own=OWN, names=("length_s", "mean", "crest")))
    length_s, mean, found = named(X, 10.0).unbind(-1)
    assert torch.equal(length_s, torch.full((3,), 4.0))
    assert torch.allclose(mean, X.mean(-1), atol=1e-6)
    assert torch.equal(found, crest(X, torch.tensor([10.0])))


def test_own_features_see_no_gaps_and_undefined_ones_are_zero() -> None:
    x = X.clone()
    x[0, 3] = torch.nan
    own = {"crest": OWN["crest"], "undefined": "own_functions.undefined"}
    engineer = FeatureEngineer(FeatureConfig(own=own, names=("crest", "undefined")))
    found = engineer(x, 1.0)
    assert torch.isfinite(found).all()
    assert not found[:, 1].any()


def test_own_features_and_names_are_exported() -> None:
    engineer = FeatureEngineer(FeatureConfig(own=OWN, names=("std", "crest", "patch_0")))
    exported = torch.export.export(engineer, (X, torch.tensor(5.0))).module()
    assert torch.allclose(exported(X, torch.tensor(5.0)), engineer(X, 5.0), atol=1e-6)


def test_stores_follow_a_change_of_the_file_of_a_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "peaks_of_mine.py"
    file.write_text("def peak(samples, rate_hz):\n    return samples.amax(-1)\n")
    functions = load_features({"peak": "peaks_of_mine.peak"})
    before = source_digests(functions)
    assert source_digests(functions) == before
    file.write_text(file.read_text() + "\n# changed\n")
    assert source_digests(functions) != before


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_module.crest", r"features\.own\.mine: .*cannot be imported .*MODULE\.FUNCTION"),
        ("own_functions.crst", r"features\.own\.mine: .*cannot be imported"),
        ("own_functions.NOT_A_FUNCTION", r"features\.own\.mine: .*is not a function"),
        (
            "own_functions.of_wrong_shape",
            r"features\.own\.mine: returns \[3, 40\] .*expected .*\[3\]",
        ),
    ],
)
def test_a_path_without_a_fitting_function_is_refused(path: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        FeatureEngineer(FeatureConfig(own={"mine": path}))(X, 1.0)
