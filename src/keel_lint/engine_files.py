"""The files that say which versions of the engines a project uses: what a run depends on besides Python code."""

LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
REQUIREMENTS = (
    "Pipfile",
    "pyproject.toml",
    "requirements.in",
    "requirements.txt",
    "requirements/base.in",
    "requirements/base.txt",
    "requirements/common.txt",
    "requirements/main.txt",
    "requirements/prod.txt",
    "requirements/production.txt",
    "setup.cfg",
    "setup.py",
)

FILES = LOCKS + REQUIREMENTS
"""All files of which the answer depends."""
