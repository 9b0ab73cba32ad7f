"""`python -m hydrascope`."""

from hydrascope.cli import main

# Processes that a training spawns import this module too.
if __name__ == "__main__":
    main()
