"""Answer over HTTP: `python serve.py bundle=PATH port=8000`."""

import sys

from hydrascope.serving.main import main

if __name__ == "__main__":
    main(sys.argv[1:])
