"""The bundle in the package: small, of no machine, and the same here as where it was exported."""

from pathlib import Path

import pytest

from hydrascope.packaging.bundle import golden_difference, read_bundle
from hydrascope.packaging.files import read_manifest
from hydrascope.packaging.pretrained import PRETRAINED, located
from hydrascope.schemas import SpecError


def test_it_answers_here_as_at_its_export_and_knows_no_machine() -> None:
    bundle = read_bundle(Path(PRETRAINED))
    assert golden_difference(bundle) < 1e-4
    assert bundle.diagnoser.of_any_build
    assert bundle.manifest.machines == ()
    assert not bundle.manifest.input_spec.builds
    assert bundle.manifest.git_commit
    assert not bundle.manifest.git_commit.endswith("-dirty")


def test_it_is_small() -> None:
    assert sum(file.stat().st_size for file in located(Path(PRETRAINED)).iterdir()) < 3e6


def test_a_folder_of_its_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / PRETRAINED).mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=r"'pretrained' holds no manifest\.json"):
        read_manifest(Path(PRETRAINED))
