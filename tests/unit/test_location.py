"""Where a bus is: what goes before what."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hubbub.errors import InvalidBusUrl, InvalidConfig
from hubbub.location import data_folder, find_bus, git_common_folder, normal_url, split_url


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with the marks of a git repository; no program is run for it."""
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "deep" / "er").mkdir(parents=True)
    return tmp_path / "repo"


def _worktree(repository: Path, name: str) -> Path:
    """A linked worktree, as git lays it out."""
    inside = repository / ".git" / "worktrees" / name
    inside.mkdir(parents=True)
    (inside / "commondir").write_text("../..\n")
    folder = repository.parent / name
    folder.mkdir()
    (folder / ".git").write_text(f"gitdir: {inside}\n")
    return folder


def test_precedence(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = str(repository / "deep" / "er")
    (repository / ".hubbub.toml").write_text('bus = "sqlite:///c/bus.db"\n')
    monkeypatch.setenv("HUBBUB_BUS", "sqlite:///b/bus.db")
    assert find_bus("sqlite:///a/bus.db", deep) == ("sqlite:///a/bus.db", "--bus")
    assert find_bus(None, deep) == ("sqlite:///b/bus.db", "HUBBUB_BUS")
    monkeypatch.setenv("HUBBUB_BUS", "")
    configured = find_bus(None, deep)
    assert configured == ("sqlite:///c/bus.db", str(repository / ".hubbub.toml"))
    (repository / ".hubbub.toml").unlink()
    found = find_bus(None, deep)
    assert found.url.startswith(f"sqlite://{data_folder()}/repos/repo-")
    assert found.source == f"git repository {repository}/.git"
    (repository / ".git").rmdir()
    assert find_bus(None, deep) == (f"sqlite://{data_folder()}/bus.db", "the user's bus")


def test_the_nearest_configuration_counts(repository: Path) -> None:
    (repository / ".hubbub.toml").write_text('bus = "far.db"\n')
    (repository / "deep" / ".hubbub.toml").write_text('bus = "near.db"\n')
    assert find_bus(None, str(repository / "deep" / "er")).url == f"sqlite://{repository}/deep/near.db"
    assert find_bus(None, str(repository)).url == f"sqlite://{repository}/far.db"


def test_a_configuration_without_a_bus_names_none(repository: Path) -> None:
    (repository / ".hubbub.toml").write_text("")
    assert find_bus(None, str(repository)).source.startswith("git repository")


@pytest.mark.parametrize(
    ("text", "named"),
    [("bus = 1", "string"), ("buss = 'x'", "buss"), ("bus = ", ".hubbub.toml"), ("\udc80", ".hubbub.toml")],
)
def test_a_configuration_that_is_wrong(repository: Path, text: str, named: str) -> None:
    path = repository / ".hubbub.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InvalidConfig) as caught:
        find_bus(None, str(repository))
    assert named in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_all_worktrees_share_one_bus(repository: Path) -> None:
    one, other = _worktree(repository, "one"), _worktree(repository, "other")
    urls = {find_bus(None, str(folder)).url for folder in (repository, one, other, repository / "deep")}
    assert len(urls) == 1
    assert git_common_folder(str(one)) == str(repository / ".git")


def test_a_submodule_has_its_own_bus(repository: Path) -> None:
    inside = repository / ".git" / "modules" / "sub"
    inside.mkdir(parents=True)
    sub = repository / "sub"
    sub.mkdir()
    (sub / ".git").write_text("gitdir: ../.git/modules/sub\n")
    assert git_common_folder(str(sub)) == str(inside)
    assert find_bus(None, str(sub)).url != find_bus(None, str(repository)).url


def test_two_repositories_of_one_name_have_two_buses(tmp_path: Path) -> None:
    for parent in ("a", "b"):
        (tmp_path / parent / "repo" / ".git").mkdir(parents=True)
    urls = {find_bus(None, str(tmp_path / parent / "repo")).url for parent in ("a", "b")}
    assert len(urls) == 2


def test_a_repository_reached_by_a_link_is_the_same(repository: Path) -> None:
    link = repository.parent / "link"
    link.symlink_to(repository)
    assert find_bus(None, str(link)).url == find_bus(None, str(repository)).url


@pytest.mark.parametrize("content", ["", "nonsense", "gitdir:"])
def test_a_git_file_that_points_nowhere_stops_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / ".git").write_text(content)
    assert find_bus(None, str(tmp_path)).url.endswith("bus.db")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("bus.db", "sqlite:///work/bus.db"),
        ("./a/../bus.db", "sqlite:///work/bus.db"),
        ("/abs/bus.db", "sqlite:///abs/bus.db"),
        ("sqlite:///abs/bus.db", "sqlite:///abs/bus.db"),
        ("sqlite://rel/bus.db", "sqlite:///work/rel/bus.db"),
    ],
)
def test_a_bare_path_is_a_file(text: str, url: str) -> None:
    assert normal_url(text, "/work") == url


def test_a_path_may_begin_with_the_home_folder() -> None:
    assert normal_url("~/bus.db", "/work") == f"sqlite://{os.environ['HOME']}/bus.db"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bus.db",
        "http://host/x",
        "sqlite:/x",
        "sqlite://x",
        "sqlite:///",
        "sqlite:///x/",
        "sqlite:///\0",
        "://x",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(InvalidBusUrl) as caught:
        split_url(url)
    assert caught.value.hint


def test_the_data_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert data_folder() == "/data/hubbub"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert data_folder() == f"{os.environ['HOME']}/.local/share/hubbub"
    monkeypatch.setattr("sys.platform", "darwin")
    assert data_folder() == f"{os.environ['HOME']}/Library/Application Support/hubbub"
