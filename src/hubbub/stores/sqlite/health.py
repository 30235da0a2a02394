"""Whether a bus is whole: its file, and what the file says."""

from __future__ import annotations

from hubbub.errors import HubbubError
from hubbub.model import Problem
from hubbub.stores.sqlite.core import Core, one
from hubbub.stores.sqlite.indexing import astray
from hubbub.stores.sqlite.meaning import faults
from hubbub.stores.sqlite.statements import statements

_LEDGER = statements("ledger.sql")
_TOPICS = statements("topics.sql")
_PLANS = statements("plans.sql")


def check(core: Core) -> list[Problem]:
    """See :meth:`hubbub.stores.contract.Store.check`."""
    restore = "Stop all agents, keep a copy of the file, and restore a backup."
    problems: list[Problem] = []
    try:
        with core.read() as db:
            for (line,) in db.execute("PRAGMA integrity_check(20)"):
                if line != "ok":
                    problems.append(Problem(f"The database is damaged: {line}", "error", restore))
            for row in db.execute("PRAGMA foreign_key_check"):
                problems.append(Problem(f"A row of {row[0]} refers to nothing.", "error", restore))
            for (name,) in db.execute(_LEDGER["wrong_counts"]):
                problems.append(Problem(f"The counts of {name} disagree with its mail.", "error", restore))
            for (name,) in db.execute(_TOPICS["wrong_numbers"]):
                problems.append(Problem(f"The messages of topic {name} are not all there.", "error", restore))
            for agent, name in db.execute(_TOPICS["wrong_places"]):
                problems.append(Problem(f"The place of {agent} in topic {name} is wrong.", "error", restore))
            for num, name in db.execute(_PLANS["wrong_waits"]):
                problems.append(
                    Problem(f"Step {num} of project {name} disagrees with what it needs.", "error", restore)
                )
            for (name,) in db.execute(_PLANS["wrong_project_counts"]):
                problems.append(
                    Problem(f"The counts of project {name} disagree with its steps.", "error", restore)
                )
            orphans = one(db, _LEDGER["orphan_messages"], {})
            if orphans is not None and orphans[0]:
                problems.append(Problem(f"Messages that are in no inbox: {orphans[0]}.", "error", restore))
            for what in astray(db):
                said = f"The index of words disagrees with the {what}: not all of it is found."
                problems.append(Problem(said, "error", "Run: hubbub search --index"))
            problems += [Problem(what, "error", restore) for what in faults(db)]
    except HubbubError as error:
        problems.append(Problem(error.message, "error", error.hint or restore))
    return problems
