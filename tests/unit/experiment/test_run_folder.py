"""A run has a folder that no other run has."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hydrascope.experiment.run_folder import new_folder


def test_runs_that_begin_at_once_have_a_folder_each(tmp_path: Path) -> None:
    wanted = str(tmp_path / "outputs" / "12-00-00")
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(new_folder, [wanted] * 20))
    assert len(set(folders)) == 20
    assert all(Path(folder).is_dir() for folder in folders)
    assert {wanted, f"{wanted}-2", f"{wanted}-20"} <= set(folders)
