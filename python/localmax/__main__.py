"""The command line: `localmax` and `python -m localmax`. It loads the extension alone."""

import sys

from . import _localmax


def main() -> None:
    sys.exit(_localmax.cli(["localmax", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
