"""The folder of the graph stores that all tests share, so that each is built once.

The first process makes it, removes it when it ends, and names it to the processes that it starts.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

_NAME = "HYDRASCOPE_TESTS_STORE"

if _NAME not in os.environ:
    _FIRST = TemporaryDirectory(prefix="hydrascope-store-")
    os.environ[_NAME] = _FIRST.name

STORE = Path(os.environ[_NAME])
"""The folder."""
