"""Printing fails for nobody: not without a reader, a console, room for a log, or UTF-8."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PRINTS = """
import sys
from pathlib import Path
from rich.console import Console
from hydrascope.console import print_anything
print_anything()
console = Console()
for number in range(5000):
    console.print("Größe →", number)
    print("Größe →", number, file=sys.stderr)
Path(sys.argv[1]).write_text("written after all that was printed")
"""


@pytest.mark.parametrize(
    "shell", ["{} | head -1", "{} >&-", "{} 2>&-", "{} >/dev/full 2>/dev/full", "{} | cat"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_what_comes_after_printing_is_done(shell: str, encoding: str, tmp_path: Path) -> None:
    script, done = tmp_path / "prints.py", tmp_path / "done"
    script.write_text(PRINTS, "utf-8")
    environment = os.environ | {
        "PYTHONIOENCODING": encoding,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    command = f"set -o pipefail; {shell.format(f'{sys.executable} {script} {done}')}"
    ran = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert done.exists()
    if "| cat" in shell:
        sign = {"utf-8": "Größe → 4999", "ascii": "Gr??e ? 4999"}[encoding]
        assert ran.stdout.decode().splitlines()[-1] == sign
