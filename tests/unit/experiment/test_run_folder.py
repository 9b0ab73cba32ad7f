"""A run has a folder that no other run has."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hydrascope.experiment.run_folder import claim, new_folder, remove_unused
from hydrascope.schemas.errors import SpecError


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    remove_unused()


def test_runs_that_begin_at_once_have_a_folder_each(tmp_path: Path) -> None:
    wanted = str(tmp_path / "outputs" / "12-00-00")
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(new_folder, [wanted] * 20))
    assert len(set(folders)) == 20
    assert all(Path(folder).is_dir() for folder in folders)
    assert {wanted, f"{wanted}-2", f"{wanted}-20"} <= set(folders)


def test_a_folder_is_claimed_by_one_run_and_by_the_one_that_resumes_it(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "first"
    claim(str(folder), None)
    with pytest.raises(SpecError, match=r"run_dir: .*first' is the folder of another run; .*new"):
        claim(str(folder), None)
    last = folder / "checkpoints" / "last.ckpt"
    last.touch()
    with pytest.raises(SpecError, match=rf"or resume={last} to continue that run"):
        claim(str(folder), str(tmp_path / "other" / "checkpoints" / "last.ckpt"))
    claim(str(folder), str(last))


def test_what_nothing_was_written_into_is_removed_with_the_folders_above_it(
    tmp_path: Path,
) -> None:
    for wanted in ("outputs/train/1", "outputs/train/2", "outputs/sweep/3"):
        new_folder(str(tmp_path / wanted))
    claim(str(tmp_path / "outputs/train/1"), None)
    (tmp_path / "outputs/train/2/results.json").touch()
    (tmp_path / "outputs/sweep/3/0").mkdir()
    (tmp_path / "outputs/sweep/3/multirun.yaml").touch()  # by Hydra, before the first trial
    remove_unused()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left == {
        "outputs",
        "outputs/train",
        "outputs/train/2",
        "outputs/train/2/results.json",
    }
