"""What the service's own process imports."""

import subprocess
import sys


def test_what_reads_requests_does_without_torch() -> None:
    code = "import sys, hydrascope.serving.app, uvicorn; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
