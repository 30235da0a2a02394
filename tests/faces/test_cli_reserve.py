"""Reserving files on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faces.cli_support import Cli
from tests.faces.work_support import plan, take


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


def test_reserving_files(cli: Cli) -> None:
    assert cli.run("reserve").out == "No files are reserved.\n"
    kept = cli.run(
        "reserve", "--for", "30m", "src/**", "docs/", "--reason", "Renaming", "--json", agent="alice"
    )
    id_ = kept.json["reservation"]["id"]
    assert kept.json["reservation"]["globs"] == ["src/**", "docs/**"]
    held = cli.run("reserve", "check", "src/a.py", "README.md", agent="bob")
    assert held.status == 1
    assert held.out.startswith(f"src/a.py  held by alice ({id_}, src/**), ends in ")
    assert held.out.endswith(": Renaming\n")
    own = cli.run("reserve", "check", "src/a.py", agent="alice")
    assert own.status == 0
    assert own.out.startswith(f"src/a.py  yours ({id_}, src/**), ends in ")
    assert own.out.endswith(": Renaming\nFree for you: nobody else holds them.\n")
    own_json = cli.run("reserve", "check", "src/a.py", "--json", agent="alice").json
    assert (own_json["free"], own_json["conflicts"], own_json["yours"][0]["held"]) == (True, [], "src/**")
    assert cli.run("reserve", "check", "README.md").status == 0
    refused = cli.run("reserve", "src/b.py", agent="bob")
    assert (refused.status, refused.code) == (1, "PATH_HELD")
    assert cli.run("reserve", "renew", id_, "--for", "2h", agent="alice").out.endswith("it ends in 2 h.\n")
    assert cli.run("reserve", "list", "--agent", "alice").out.startswith(
        f"{id_}  alice  src/** docs/**  ends"
    )
    others = cli.run("reserve", "release", id_, agent="bob")
    assert (others.status, others.code) == (3, "RESERVATION_NOT_FOUND")
    assert cli.run("reserve", "release", id_, agent="alice").out == f"Released {id_}: src/** docs/**.\n"
    assert cli.run("reserve", "check", "src/a.py", agent="bob").status == 0
    assert cli.run("reserve", "--", "list", agent="bob").out.startswith("Reserved list (r")
    plan(cli, {"title": "x", "paths": ["lib/**"]})
    take(cli, agent="bob")
    by_step = cli.run("reserve", "check", "lib/x.py", "--json", agent="alice")
    assert (by_step.status, by_step.json["conflicts"][0]["reason"]) == (1, "step 1: x")


def test_a_reservation_is_named_by_its_glob_too(cli: Cli) -> None:
    ids = [
        cli.run("reserve", *globs, "--json", agent="alice").json["reservation"]["id"]
        for globs in (["src/**", "docs/"], ["src/**"])
    ]
    both = cli.run("reserve", "release", "src/**", agent="alice")
    assert (both.status, both.code) == (2, "USAGE")
    assert all(id_ in both.err for id_ in ids)
    assert cli.run("reserve", "renew", "docs/", "--for", "2h", agent="alice").out.startswith(
        f"Renewed {ids[0]}"
    )
    assert (
        cli.run("reserve", "release", "docs/**", agent="alice").out == f"Released {ids[0]}: src/** docs/**.\n"
    )
    wrong = cli.run("reserve", "release", "lib/**", agent="alice")
    assert (wrong.status, wrong.code) == (3, "RESERVATION_NOT_FOUND")
    assert (
        f"alice has no reservation of lib/**. [RESERVATION_NOT_FOUND]\n  Yours: {ids[1]} (src/**)"
        in wrong.err
    )
    assert cli.run("reserve", "release", "src/**", agent="alice").status == 0
    none = cli.run("reserve", "release", "src/**", agent="alice")
    assert "You have none. All: hubbub reserve list" in none.err
    over = cli.run("reserve", "release", ids[0], agent="alice")
    assert "It ran out or was released." in over.err
