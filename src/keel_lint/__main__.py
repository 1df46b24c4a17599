"""`python -m keel_lint`: the same as the `keel-lint` command."""

import sys

from keel_lint.cli import main

if __name__ == "__main__":
    sys.exit(main())
