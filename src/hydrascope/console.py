"""Printing that cannot fail; imports nothing of ours, so that `--help` needs nothing else."""

import os
import sys
from io import TextIOWrapper


def print_anything() -> None:
    """Print `?` for characters that the console cannot show, here and in child processes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    if isinstance(sys.stdout, TextIOWrapper):
        os.environ["PYTHONIOENCODING"] = f"{sys.stdout.encoding}:replace"
