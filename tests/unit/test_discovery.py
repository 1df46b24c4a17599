"""Which files a project has: compared with what git says of the same folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keel_lint import discovery
from keel_lint.discovery import BITS, FileEntry, discover, group_by_project
from keel_lint.ignoring import Patterns
from keel_lint.reading import read_file


def project_of(paths: list[Path]) -> Path:
    (root,) = group_by_project(paths)
    return root


def write(root: Path, *paths: str, content: str = "") -> None:
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


def git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True).stdout


def listed_by_git(root: Path) -> set[str]:
    names = git(root, "ls-files", "-coz", "--exclude-standard", "--", "*.py", "*.pyi")
    return {os.fsdecode(name) for name in names.split(b"\0") if name}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q")
    return root


# -- Ignore files --


@pytest.mark.parametrize(
    "lines",
    [
        "build/",
        "/build",
        "/build/",
        "build\n!build/",
        "a/build",
        "**/build",
        "a/**/c",
        "a/**",
        "a/**\n!a/keep.py",
        "a/**\n!a/**/\n!a/**/keep.py",
        "a/*\n!a/b/",
        "*\n!*/\n!keep.py",
        "*.gen.py\n!b/",
        "/*.py\n!/keep.py",
        "x?.py",
        "[xk]*.py",
        "[!x]*.py",
        "[^x]*.py",
        "[a-l]eep.py",
        "[[:alpha:]]1.py",
        "[]x]1.py",
        "[x",
        "x1.py\\",
        "\\#hash.py\n\\!bang.py",
        "#hash.py",
        "x1.py   ",
        "x1.py\\ ",
        "x1.py\r\nkeep.py\r",
        "b\n!b",
        "/",
        "//",
        "!",
        "\ufeffx1.py",
        "a//b",
        "**",
        "***",
        "a/**b/c",
        "**/",
        "b/c/",
        "*a/b",
    ],
)
def test_an_ignore_file_means_what_it_means_to_git(repository: Path, lines: str) -> None:
    write(
        repository,
        "x1.py",
        "keep.py",
        "#hash.py",
        "!bang.py",
        "x1.py ",
        "one.gen.py",
        "build/b.py",
        "a/build/b.py",
        "a/keep.py",
    )
    write(repository, "a/x1.py", "a/b/c/x1.py", "a/b/c/keep.py", "a/b/x.gen.py", "b/c/x2.py", "b/one.gen.py", "].py", "]1.py")
    (repository / ".gitignore").write_bytes(lines.encode())
    assert set(discover(repository, exclude=()).files) == listed_by_git(repository)


GLOBS = "a b x.py y.py * ** *.py ? [ab] [!a] a* *b [a- \\a [[:lower:]] [b-a] [\\]a] [x-y].py"
PARTS = st.sampled_from(GLOBS.split())
PATTERN = st.builds(
    lambda negation, start, parts, end: negation + start + "/".join(parts) + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(PARTS, min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
)
LINES = st.lists(PATTERN, max_size=4).map("\n".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(top=LINES, nested=LINES, private=LINES)
def test_any_ignore_files_mean_what_they_mean_to_git(repository: Path, top: str, nested: str, private: str) -> None:
    for folder in ("", "a/", "b/", "a/a/", "a/b/", "b/ab/", "a/b/a/"):
        write(repository, f"{folder}x.py", f"{folder}y.py")
    (repository / ".gitignore").write_text(top)
    (repository / "a/.gitignore").write_text(nested)
    (repository / ".git/info/exclude").write_text(private)
    assert set(discover(repository, exclude=()).files) == listed_by_git(repository)


def test_the_nearest_ignore_file_wins_and_dot_ignore_outranks_gitignore(repository: Path) -> None:
    write(repository, "a/one.py", "a/two.py", "a/three.py", "four.py")
    (repository / ".gitignore").write_text("one.py\ntwo.py\n")
    (repository / "a/.gitignore").write_text("!one.py\n!two.py\nthree.py\n")
    (repository / ".ignore").write_text("one.py\n!three.py\n")
    assert set(discover(repository).files) == {"a/two.py", "a/three.py", "four.py"}


def test_a_repository_inside_starts_afresh(repository: Path) -> None:
    write(repository, "inner/one.py", "inner/.git/HEAD", "two.py")
    (repository / ".gitignore").write_text("*.py\n")
    assert set(discover(repository).files) == {"inner/one.py"}


def test_ignore_files_count_outside_git_too_unless_told_not_to(tmp_path: Path) -> None:
    write(tmp_path, "one.py", "two.py")
    write(tmp_path, ".gitignore", content="one.py\n")
    assert set(discover(tmp_path).files) == {"two.py"}
    assert set(discover(tmp_path, respect_gitignore=False).files) == {"one.py", "two.py"}


def test_an_ignore_file_that_cannot_be_read_ignores_nothing(tmp_path: Path) -> None:
    write(tmp_path, "one.py", ".gitignore/odd")
    assert set(discover(tmp_path).files) == {"one.py"}


def test_patterns_say_nothing_of_what_they_do_not_name() -> None:
    patterns = Patterns(["build/", "!keep.py"])
    assert patterns.says("a/build", "build", True) is True
    assert patterns.says("a/build", "build", False) is None
    assert patterns.says("build/keep.py", "keep.py", False) is False
    assert patterns.says("build/x.py", "x.py", False) is None


# -- The tree --


def test_exclude_leaves_out_files_and_folders(tmp_path: Path) -> None:
    write(tmp_path, "venv/x.py", "a/node_modules/x.py", "a/x.py", "docs/conf.py", "a/docs/conf.py", "a/gen_pb2.py")
    assert set(discover(tmp_path).files) == {"a/x.py", "docs/conf.py", "a/docs/conf.py", "a/gen_pb2.py"}
    for docs in ("/docs", "./docs", f"{tmp_path}/docs"):
        tree = discover(tmp_path, exclude=[docs, "*_pb2.py", "node_modules", "venv"])
        assert set(tree.files) == {"a/x.py", "a/docs/conf.py"}


def test_only_python_files_are_listed_with_size_and_time(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "b.pyi", content="x = 1\n")
    write(tmp_path, "c.txt", "d.pyc", "e.py/inside.txt")
    os.mkfifo(tmp_path / "pipe.py")
    os.utime(tmp_path / "a.py", ns=(5, 7_000))
    tree = discover(tmp_path)
    assert [entry.path for entry in tree.entries] == ["a.py", "b.pyi"]
    assert tree.files["a.py"] == FileEntry("a.py", 6, 7_000)


def test_links_are_listed_once_and_loops_are_survived(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.touch()
    root = tmp_path / "root"
    write(root, "real/a.py")
    links = {"link.py": "real/a.py", "first.py": str(outside), "second.py": str(outside), "nowhere.py": "gone.py"}
    loops = {"self.py": "self.py", "folder": "real", "folder.py": "real", "real/loop": str(root)}
    for name, target in {**links, **loops}.items():
        (root / name).symlink_to(target)
    assert set(discover(root).files) == {"real/a.py", "first.py"}


def test_a_folder_that_cannot_be_read_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "closed/a.py", "gone/b.py", "c.py")
    scandir = os.scandir

    def refuse(folder: str) -> object:
        if folder.endswith("closed/"):
            raise PermissionError(13, "Permission denied")
        if folder.endswith("gone/"):
            raise FileNotFoundError(2, "No such file or directory")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    tree = discover(tmp_path)
    assert set(tree.files) == {"c.py"}
    assert tree.problems == [("closed", "Permission denied")]


def test_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.py")
    try:
        (tmp_path / name).write_bytes(b"import celery")
    except OSError:
        pytest.skip("this file system holds UTF-8 names only")
    tree = discover(tmp_path)
    assert list(tree.files) == [name]
    assert discovery.read_and_search(tmp_path, tree.entries)[name].words == BITS["celery"]


# -- What was asked for --


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path, "app/a.py", "app/b.py", "app/script", "lib/c.py", "venv/v.py", "gen/g.py", "empty/readme.txt")
    write(tmp_path, ".gitignore", content="gen/\n")
    return tmp_path


def taken(selection: discovery.Selection) -> list[str]:
    return [entry.path for entry in selection.entries]


def test_folders_and_files_are_taken_once(project: Path) -> None:
    tree = discover(project)
    assert taken(tree.select([project])) == ["app/a.py", "app/b.py", "lib/c.py"]
    assert taken(tree.select([project / "app", project / "app" / "a.py", project / "lib/../lib"])) == [
        "app/a.py",
        "app/b.py",
        "lib/c.py",
    ]


def test_paths_are_seen_from_the_working_directory(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "app")
    assert taken(discover(project).select([Path("a.py"), Path("../lib")])) == ["app/a.py", "lib/c.py"]


@pytest.mark.parametrize("path", ["venv/v.py", "venv", "gen/g.py", "gen", "app/script"])
def test_what_is_passed_is_taken_and_joins_the_tree(project: Path, path: str) -> None:
    tree = discover(project)
    selection = tree.select([project / path])
    assert len(selection.entries) == 1
    assert selection.problems == []
    assert selection.entries[0].path in tree.files


def test_force_exclude_holds_for_what_is_passed(project: Path) -> None:
    tree = discover(project)
    for path in ("venv/v.py", "venv"):
        assert tree.select([project / path], force_exclude=True) == ([], [], 1)
    assert taken(tree.select([project / "gen/g.py"], force_exclude=True)) == ["gen/g.py"]


def test_nothing_to_look_at_is_a_problem(project: Path) -> None:
    tree = discover(project)
    missing = project / "nosuch.py"
    assert tree.select([missing]).problems == [(str(missing), "No such file or directory")]
    assert tree.select([project / "empty"]).problems == [(str(project / "empty"), "No Python file found there")]
    assert tree.select([project / "empty", project / "lib"]).problems == []


def test_what_is_no_regular_file_is_a_problem(project: Path) -> None:
    os.mkfifo(project / "pipe.py")
    assert discover(project).select([project / "pipe.py"]).problems == [(str(project / "pipe.py"), "Not a regular file")]


def test_what_lies_elsewhere_is_a_problem(project: Path) -> None:
    assert discover(project / "app").select([project / "lib"]).problems == [(str(project / "lib"), f"Not inside {project}/app")]


def test_a_link_into_the_project_is_what_it_leads_to(project: Path) -> None:
    (project / "short.py").symlink_to("app/a.py")
    (project / "short").symlink_to("app")
    tree = discover(project)
    assert taken(tree.select([project / "short.py"])) == ["app/a.py"]
    assert taken(tree.select([project / "short"])) == ["app/a.py", "app/b.py"]


# -- Projects --


def test_the_project_is_the_git_top_level(repository: Path) -> None:
    write(repository, "a/b/c.py")
    assert project_of([repository / "a" / "b" / "c.py"]) == repository
    assert project_of([repository / "a" / "nosuch.py", repository]) == repository


def test_a_worktree_is_a_project(repository: Path) -> None:
    write(repository, "tree/.git", "tree/x/a.py", content="gitdir: elsewhere\n")
    assert project_of([repository / "tree" / "x" / "a.py"]) == repository / "tree"


def test_outside_git_the_project_is_the_common_parent(tmp_path: Path) -> None:
    write(tmp_path, "a/b/c.py", "a/d.py")
    assert project_of([tmp_path / "a" / "d.py"]) == tmp_path / "a"
    assert project_of([tmp_path / "a" / "b" / "c.py", tmp_path / "a" / "d.py"]) == tmp_path / "a"


def test_paths_are_grouped_by_project(tmp_path: Path) -> None:
    write(tmp_path, "one/.git/HEAD", "one/a.py", "two/.git/HEAD", "two/b.py", "three/c.py", "four/d.py")
    one, two, three, four = (tmp_path / path for path in ("one/a.py", "two/b.py", "three/c.py", "four/d.py"))
    assert group_by_project([one, three, two, four]) == {
        tmp_path / "one": [one],
        tmp_path: [three, four],
        tmp_path / "two": [two],
    }


# -- What a file is --


@pytest.mark.parametrize(
    "path", ["tests/a.py", "x/tests/y/a.py", "x/test_a.py", "a_test.py", "x/conftest.py", "shop/tests.py", ".ci/a.py"]
)
def test_test_code_is_known_by_its_path(path: str) -> None:
    assert discovery.is_test_code(path)


@pytest.mark.parametrize("path", ["contests/a.py", "test/a.py", "latest.py", "attest_a.py", "tests_of/a.py", "my_conftest.py"])
def test_other_code_is_not_test_code(path: str) -> None:
    assert not discovery.is_test_code(path)


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("{{cookiecutter.name}}/a.py", b""),
        ("{% if x %}a.py", b""),
        ("a.py", b"import x\nfrom {{ cookiecutter.slug }} import y\n"),
        ("a.py", b"x = 1\n  {%- if cookiecutter.celery %}\n"),
        ("a.py", b"{# only with copier #}\n"),
    ],
)
def test_templates_are_known(path: str, raw: bytes) -> None:
    assert discovery.is_template(path, raw)


def test_broken_python_is_no_template() -> None:
    assert not discovery.is_template("a.py", b"x = {{1: 2}\nf'{x % 3}'\ny = '{% if %}'\n")


# -- Searching bytes --


def test_search_names_the_words() -> None:
    assert discovery.search(b"from celery import shared_task") == BITS["celery"] | BITS["shared_task"]
    assert discovery.search(b"send.delay(1); CELERY_BROKER_URL = ''") == BITS["delay"] | BITS["settings"]
    assert discovery.search(b"import os") == 0


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        (b"x = 1  # celery does the rest", False),
        (b"# celery\r# .delay\rx = 1\r", False),
        (b"# celery\rapp.send()  # then\rimport celery\r", True),
        (b"color = '#fff'; celery.start()", True),
        (b"# celery\nimport celery", True),
        (b'"""celery"""', True),
    ],
)
def test_words_of_the_engines_count_in_code_only(line: bytes, counts: bool) -> None:
    assert bool(discovery.search(line) & BITS["celery"]) is counts


def test_words_of_suppressions_count_in_comments() -> None:
    assert discovery.search(b"x.delay()  # keel: ignore KEL101") == BITS["delay"] | BITS["keel"] | BITS["code"]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for number in range(30):
        write(tmp_path, f"f{number:02}.py", content="import celery\n" * (number % 3 == 0) + f"name_{number} = 1\n")
    return tmp_path


@pytest.mark.parametrize("share", [1, 1000])
def test_files_are_searched_alike_in_one_process_and_in_several(
    many: Path, monkeypatch: pytest.MonkeyPatch, share: int
) -> None:
    monkeypatch.setattr(discovery, "_SHARE", share)
    entries = [*discover(many).entries, FileEntry("gone.py", 3, 0)]
    found = discovery.read_and_search(many, entries, digests=True)
    celery = [f"f{number:02}.py" for number in range(0, 30, 3)]
    assert sorted(path for path, scanned in found.items() if scanned.words) == celery
    assert "gone.py" not in found
    assert found["f01.py"].digest == discovery.content_digest(b"name_1 = 1\n")
    assert discovery.read_and_search(many, entries)["f01.py"].digest == b""


def test_a_name_is_a_whole_identifier() -> None:
    raw = "x.send(a_send, send2, 'app.tasks.ship', sendé)\n".encode()
    expected = {b"x", b"send", b"a_send", b"send2", b"app", b"tasks", b"ship", "sendé".encode()}
    assert discovery.identifiers(raw) == expected


def test_a_file_that_grew_is_read_whole(tmp_path: Path) -> None:
    write(tmp_path, "a.py", content="x" * 600_000)
    assert len(read_file(str(tmp_path / "a.py"), 10)) == 600_000
    assert len(read_file(str(tmp_path / "a.py"), 700_000)) == 600_000
