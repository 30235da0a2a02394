"""What keeps one step from being claimed, and who holds what."""

from __future__ import annotations

import apsw

from hubbub.clock import to_iso
from hubbub.model_work import AGEING_MS, LIVE, Blocker, Holder
from hubbub.names import parse_id, step_id
from hubbub.stores.sqlite.connection import Row
from hubbub.stores.sqlite.core import dump
from hubbub.stores.sqlite.work_free import Held
from hubbub.stores.sqlite.work_rows import SQL, project_row, step_row

STANDS = "It is in line for it: steps behind it wait."
"""What is said of a step that others wait for."""


def holders(db: apsw.Connection, steps: list[int], now: int) -> tuple[Holder, ...]:
    """Who has these steps; those that nobody has are left out."""
    rows = db.execute(SQL["holders"], {"steps": dump(steps), "now": now})
    return tuple(
        Holder(step_id(step, tag), f"{name}/{num}", agent, until, offline)
        for step, tag, num, name, agent, until, offline in rows
    )


def explain(db: apsw.Connection, step: int, agent: str | None, now: int) -> tuple[Blocker, ...]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.explain`."""
    row = step_row(db, step)
    own = step_id(row[0], row[1])
    if row[13] in LIVE:
        until = f"until {to_iso(row[29])}" if row[29] else ""
        says = f"{row[28]} has it {until} (attempt {row[15]})."
        return (Blocker("claimed", own, says, next(iter(holders(db, [step], now)), None)),)
    if row[13] != "not_started":
        return (Blocker("over", own, f"It is {row[13]}."),)
    found: list[Blocker] = []
    if row[26] != "active":
        found.append(Blocker("project", row[27], f"The project {row[27]} is {row[26]}."))
    found += _needed(db, step, now)
    if row[18] is not None and row[18] > now:
        found.append(Blocker("delay", own, f"It rests until {to_iso(row[18])}."))
    found += _held_by(db, row, agent, now)
    return tuple(found)


def _needed(db: apsw.Connection, step: int, now: int) -> list[Blocker]:
    """What it still waits for, with what was given up first."""
    rows = list(db.execute(SQL["unmet_needs"], {"step": step}))
    who = {one.step: one for one in holders(db, [row[0] for row in rows if row[4] in LIVE], now)}
    found = []
    for needed, tag, num, title, status, until in rows:
        kind = "failed" if status in ("failed", "parked", "cancelled") else "need"
        says = f"It needs step {num} ({title[:60]}) to be {until}; that one is {status}."
        id_ = step_id(needed, tag)
        found.append(Blocker(kind, id_, says, who.get(id_)))
    return sorted(found, key=lambda blocker: blocker.kind != "failed")


def _held_by(db: apsw.Connection, row: Row, agent: str | None, now: int) -> list[Blocker]:
    from hubbub.stores.sqlite.work_files import conflicts_of  # files look at steps, and steps at files

    held = Held(db, agent, now)
    conflicts = conflicts_of(db, str(row[10]), agent, now, own_claims=True)
    steps = [parsed[0] for each in conflicts if (parsed := parse_id("s", each.what))]
    who = {one.step: one for one in holders(db, steps, now)}
    found = [
        Blocker(
            "path",
            each.what,
            f"{each.agent} holds {each.held} until {to_iso(each.until)}.",
            who.get(each.what),
        )
        for each in conflicts
    ]
    for (name,) in db.execute(SQL["resources_of"], {"step": row[0]}):
        have, may = held.used[name], held.limits.get(name, 1)
        if have >= may:
            found.append(Blocker("resource", name, f"{have} of {may} of the resource {name} are in use."))
    if found and held.stands(row[0]):
        found[0] = found[0]._replace(says=f"{found[0].says} {STANDS}")
    place = row[21] - row[12] * AGEING_MS - project_row(db, row[2])[6] * AGEING_MS if row[21] else now
    for ahead in held.before(row[0], place, row[10], row[11]):
        first = step_row(db, ahead)
        says = f"Step {first[4]} of {first[27]} ({first[5][:60]}) has waited for the same for longer."
        found.append(Blocker("line", step_id(first[0], first[1]), says))
    return found
