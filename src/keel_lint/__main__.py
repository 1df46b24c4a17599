"""`python -m keel_lint`: the same as the `keel-lint` command."""

from keel_lint.cli import program

if __name__ == "__main__":
    program()
