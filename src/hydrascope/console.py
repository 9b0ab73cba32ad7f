"""Printing that cannot fail; imports nothing, so that a help does without all else."""

import os
import sys
from io import TextIOWrapper


def print_anything() -> None:
    """Have a console that is not UTF-8 show `?` for what it lacks, here and in processes below."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    if isinstance(sys.stdout, TextIOWrapper):
        os.environ["PYTHONIOENCODING"] = f"{sys.stdout.encoding}:replace"
