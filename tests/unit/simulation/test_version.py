"""What was compiled or computed by other code is not used again."""

from pathlib import Path

from plants import power_unit, run_steady

from hydrascope.simulation import solver
from hydrascope.simulation.version import code_version


def test_the_compiled_solver_is_cached_under_the_version_of_its_code() -> None:
    """So that a cache of older code, whose classes may have moved, is not even read."""
    run_steady(power_unit(), 1.0)
    folder = Path(solver.__path__[0])
    assert list(folder.glob(f"__pycache__/*_{code_version(folder)}-*.nbi"))


def test_any_change_of_any_file_below_a_folder_is_another_version(tmp_path: Path) -> None:
    (tmp_path / "solver").mkdir()
    outer, inner = tmp_path / "plant.py", tmp_path / "solver" / "laws.py"
    outer.write_text("a = 1\n")
    inner.write_text("b = 1\n")
    first = code_version(tmp_path)
    assert code_version(tmp_path) == first
    inner.write_text("b = 2\n")
    second = code_version(tmp_path)
    assert second != first
    inner.rename(tmp_path / "solver" / "motion.py")
    assert code_version(tmp_path) not in (first, second)
    assert 0 <= first < 2**63
