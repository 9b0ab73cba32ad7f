"""`python -m hydrascope`."""

from hydrascope.cli import main

main()
