"""Entry point of `python -m broadcaster` and of the command `broadcaster`."""

import sys

from broadcaster.cli import main

if __name__ == "__main__":
    sys.exit(main())
