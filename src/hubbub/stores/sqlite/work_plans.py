"""Plans: projects and steps made and changed, and the edges between steps."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import count
from typing import Any

import apsw

from hubbub.errors_work import DependencyCycle, ProjectExists, StepExists, StepNotFound
from hubbub.model import Actor
from hubbub.model_work import AGEING_MS, DONE, Need, Project, ProjectDraft, Step, StepDraft
from hubbub.names import new_tag, topic_id, topic_key
from hubbub.stores.sqlite import work_ends as ends
from hubbub.stores.sqlite.actors import admit_to_stay
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, dump, once, one
from hubbub.stores.sqlite.statements import statements
from hubbub.stores.sqlite.work_rows import SQL, find_project, project_of, project_row, step_of, step_row

PLANS = statements("plans.sql")
_TOPICS = statements("topics.sql")
_Kind = tuple[str, str, bool]
"""How a step needs another one: until what, what follows if that will not be done, and whether it is met."""

_GIVEN_UP = ("failed", "parked", "cancelled")


def create_project(
    core: Core, actor: Actor, draft: ProjectDraft, key: str | None
) -> tuple[Project, tuple[Step, ...]]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.create_project`."""
    numbers = _numbers(draft.steps, 0)
    refuse_circles_among(numbers, draft.steps)  # a long plan is checked before the turn to write is taken
    with core.write() as tx:
        now = core.clock.now()
        admit_to_stay(tx, actor, now)

        def act() -> dict[str, Any]:
            refuse_taken(tx, draft.name)
            project = add_project(tx, actor, draft, now)
            return {"project": project, "steps": write_all(tx, actor, project, numbers, draft.steps, now)}

        answer, _ = once(tx, actor.agent, key, "create_project", lambda: draft, now, act)
    with core.read() as db:  # to show a long plan takes as long as to write it, and needs no turn
        shown = project_of(project_row(db, answer["project"]))
        return shown, tuple(step_of(db, step_row(db, step)) for step in answer["steps"])


def refuse_taken(tx: Write, name: str) -> None:
    """Raise PROJECT_EXISTS when a project has this name."""
    if one(tx.db, SQL["project_by_name"], {"name_key": topic_key(name)}) is not None:
        raise ProjectExists(f"A project is called {name}.")


def add_project(
    tx: Write,
    actor: Actor,
    draft: ProjectDraft,
    now: int,
    *,
    created_at: int | None = None,
    source: str | None = None,
) -> int:
    """Write a new project without its steps; its number of row."""
    values = {
        "tag": new_tag(),
        "name": draft.name,
        "name_key": topic_key(draft.name),
        "base_commit": draft.base_commit,
        "description": draft.description,
        "priority": draft.priority,
        "metadata": None if draft.metadata is None else dump(draft.metadata),
        "topic": _topic(tx, actor, draft.name, now),
        "created_by": actor.agent,
        "now": now if created_at is None else created_at,
    }
    tx.db.execute(PLANS["add_project"], values)
    project = tx.db.last_insert_rowid()
    detail = {"name": draft.name} if source is None else {"name": draft.name, "source": source}
    add_event(tx.db, now, "project_created", actor, project=project, detail=detail)
    return project


def _topic(tx: Write, actor: Actor, name: str, now: int) -> int:
    """The open topic of the project's name, made if there is none."""
    from hubbub.stores.sqlite.topic_changes import add  # few plans are made

    found = one(tx.db, _TOPICS["open_topic_named"], {"name_key": topic_key(name)})
    if found is not None:
        return int(found[0])
    topic = add(tx, actor, name, {"project": name}, now, now)
    add_event(tx.db, now, "topic_created", actor, topic=topic, detail={"name": name})
    row = one(tx.db, _TOPICS["topic_by_number"], {"topic": topic})
    assert row is not None
    tx.ring(f"topic/{topic_id(row[0], row[1])}")
    return topic


def add_steps(
    core: Core, actor: Actor, project: str, steps: tuple[StepDraft, ...], key: str | None
) -> tuple[Step, ...]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.add_steps`."""
    with core.write() as tx:
        now = core.clock.now()
        admit_to_stay(tx, actor, now)
        row = find_project(tx.db, project)

        def act() -> dict[str, Any]:
            return {"steps": add_all(tx, actor, row[0], steps, now)}

        answer, _ = once(tx, actor.agent, key, "add_steps", lambda: [row[0], steps], now, act)
        _reopen(tx, actor, row[0], now)
    with core.read() as db:
        return tuple(step_of(db, step_row(db, step)) for step in answer["steps"])


def _reopen(tx: Write, actor: Actor, project: int, now: int) -> None:
    """A completed project that has something to do again is active."""
    row = project_row(tx.db, project)
    if row[3] == "completed" and row[12]:
        tx.db.execute(SQL["set_state"], {"project": project, "state": "active"})
        detail = {"state": "active", "was": "completed"}
        add_event(tx.db, now, "project_changed", actor, project=project, detail=detail)


def add_all(
    tx: Write,
    actor: Actor,
    project: int,
    drafts: tuple[StepDraft, ...],
    now: int,
    *,
    statuses: dict[int, str] | None = None,
    inherited: frozenset[int] = frozenset(),
) -> list[int]:
    """Write new steps and what they need; their numbers of rows, in the order given. ``statuses`` are what
    the ledger says of those that come with one; ``inherited`` the numbers that they need as another step did,
    which is not cancelled for their sake."""
    numbers = numbers_of(tx, project, drafts)
    refuse_circles_among(numbers, drafts)
    return write_all(tx, actor, project, numbers, drafts, now, statuses=statuses, inherited=inherited)


def write_all(
    tx: Write,
    actor: Actor,
    project: int,
    numbers: list[int],
    drafts: tuple[StepDraft, ...],
    now: int,
    *,
    statuses: dict[int, str] | None = None,
    inherited: frozenset[int] = frozenset(),
) -> list[int]:
    """The same for steps whose numbers are known to be free, and without circles."""
    last = one(tx.db, PLANS["last_step"], {})
    following = count((last[0] if last else 0) + 1)
    rows = {num: next(following) for num in sorted(numbers)}
    given = sorted(zip(numbers, drafts, strict=True), key=lambda pair: pair[0])
    edges, waiting, too_late = _edges(tx, project, given, rows)
    # What steps need is written before they are: then no step is written again for each of its needs.
    tx.db.execute(PLANS["check_edges_later"])
    for (until, on_failure, met), needs in edges.items():
        values = {"until": until, "on_failure": on_failure, "met": int(met), "needs": dump(needs)}
        tx.db.execute(PLANS["add_needs"], values)
    tx.db.executemany(
        PLANS["add_step"],
        (_step_values(rows[num], project, num, draft, waiting[rows[num]], now) for num, draft in given),
    )
    for num, step in rows.items():
        detail = {"num": num}
        status = {"status": statuses[num]} if statuses and num in statuses else {}
        add_event(tx.db, now, "step_added", actor, project=project, step=step, detail={**detail, **status})
    for step, needed, num in too_late:
        if num not in inherited:
            _cancel_late(tx, actor, step, needed, now)
    ends.ring(tx, project, project_row(tx.db, project)[1])
    return [rows[num] for num in numbers]


def numbers_of(tx: Write, project: int, drafts: tuple[StepDraft, ...]) -> list[int]:
    """The numbers that new steps get."""
    last = one(tx.db, PLANS["last_number"], {"project": project})
    numbers = _numbers(drafts, last[0] if last else 0)
    given = [draft.num for draft in drafts if draft.num is not None]
    taken = list(tx.db.execute(PLANS["numbered"], {"project": project, "nums": dump(given)}))
    if taken:
        raise StepExists(f"The project has a step {taken[0][0]} already; nothing was added.")
    return numbers


def _numbers(drafts: tuple[StepDraft, ...], last: int) -> list[int]:
    given = [draft.num for draft in drafts if draft.num is not None]
    seen: set[int] = set()
    for num in given:
        if num in seen:
            raise StepExists(f"Two of the new steps have the number {num}; nothing was added.")
        seen.add(num)
    following = count(max([last, *given]) + 1)
    return [next(following) if draft.num is None else draft.num for draft in drafts]


def _step_values(
    step: int, project: int, num: int, draft: StepDraft, waiting: int, now: int
) -> dict[str, Any]:
    return {
        "step": step,
        "tag": new_tag(),
        "project": project,
        "num": num,
        "title": draft.title,
        "instructions": draft.instructions,
        "acceptance": draft.acceptance,
        "branch": draft.branch,
        "scope": draft.scope,
        "paths": dump(draft.paths),
        "resources": dump(draft.resources),
        "holds": int(bool(draft.paths or draft.resources)),
        "priority": draft.priority,
        "waiting": waiting,
        "rank": now - draft.priority * AGEING_MS,
        "max_attempts": draft.max_attempts,
        "time_limit_ms": draft.time_limit_ms,
        "metadata": None if draft.metadata is None else dump(draft.metadata),
        "now": now,
        "ready_at": None if waiting else now,
    }


def _edges(
    tx: Write, project: int, drafts: list[tuple[int, StepDraft]], rows: dict[int, int]
) -> tuple[dict[_Kind, dict[int, list[int]]], Counter[int], list[tuple[int, int, int]]]:
    """What new steps need in each way, how many needs of each are not met, and which steps were given up that
    one of these is not to be done without: as the row of this, and the row and the number of the other."""
    wanted = {need.num for _, draft in drafts for need in draft.needs} - rows.keys()
    known = {num: (step, "not_started") for num, step in rows.items()}
    for num, step, status in tx.db.execute(
        PLANS["numbered"], {"project": project, "nums": dump(sorted(wanted))}
    ):
        known[num] = (step, status)
    edges: dict[_Kind, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    waiting: Counter[int] = Counter()
    too_late = []
    for num, draft in drafts:
        step = rows[num]
        for need in {need.num: need for need in draft.needs}.values():
            if need.num not in known:
                raise _not_there(num, need)
            needed, status = known[need.num]
            met = status != "not_started" and _meets(status, need)
            edges[need.until, need.on_failure, met][step].append(needed)
            waiting[step] += not met
            if need.on_failure == "cancel" and status in _GIVEN_UP:
                too_late.append((step, needed, need.num))
    return edges, waiting, too_late


def _meets(status: str, need: Need) -> bool:
    """Whether a step of that status is what another needs it to be."""
    if need.on_failure == "continue" and status in _GIVEN_UP:
        return True
    return status == "merged" or (status in DONE and need.until == "completed")


def _not_there(num: int, need: Need) -> StepNotFound:
    return StepNotFound(
        f"Step {num} needs step {need.num}, which the project does not have; nothing was changed."
    )


def _add_need(tx: Write, project: int, step: int, num: int, need: Need) -> int:
    """Write what a step needs that is there; the row of the other."""
    if need.num == num:
        raise _circle([num, num])
    row = one(tx.db, SQL["step_numbered"], {"project": project, "num": need.num})
    if row is None:
        raise _not_there(num, need)
    status = one(tx.db, PLANS["status_of"], {"step": row[0]})
    assert status is not None  # it was just found
    values = {
        "step": step,
        "needed": row[0],
        "until": need.until,
        "on_failure": need.on_failure,
        "met": int(_meets(status[0], need)),
    }
    tx.db.execute(PLANS["add_need"], values)
    return int(row[0])


def rate(tx: Write, step: int, now: int) -> None:
    """Say whether a step whose needs changed is ready."""
    tx.db.execute(PLANS["rate_ready"], {"step": step, "now": now, "ageing": AGEING_MS})


def set_needs(
    tx: Write, actor: Actor, row: Row, add: tuple[Need, ...], remove: tuple[int, ...], now: int
) -> None:
    """Change what a step needs."""
    for num in remove:
        needed = one(tx.db, SQL["step_numbered"], {"project": row[2], "num": num})
        if needed is not None:
            tx.db.execute(PLANS["remove_need"], {"step": row[0], "needed": needed[0]})
    edges = [_add_need(tx, row[2], row[0], row[4], need) for need in add]
    refuse_circle(tx.db, row[0], edges)
    rate(tx, row[0], now)
    for need, edge in zip(add, edges, strict=True):
        if need.on_failure == "cancel":
            _cancel_late(tx, actor, row[0], edge, now)


def _cancel_late(tx: Write, actor: Actor, step: int, needed: int, now: int) -> None:
    """A step comes to need one that it is not to be done without: if that was given up before, so is this."""
    found = one(tx.db, PLANS["given_up_need"], {"step": step, "needed": needed})
    if found is not None:
        root = needed if found[0] is None else found[0]
        ends.cancel_one_with(tx, actor, step, needed, now, root)
        ends.complete_project(tx, actor, step_row(tx.db, step)[2], now)


def refuse_circles_among(numbers: list[int], drafts: tuple[StepDraft, ...]) -> None:
    """Raise DependencyCycle, with the circle, when new steps need each other in one. Nothing that was there
    before needs any of them, so no other circle leads through them."""
    needs = {num: [need.num for need in draft.needs] for num, draft in zip(numbers, drafts, strict=True)}
    found = find_circle(list(needs), lambda num: [each for each in needs[num] if each in needs])
    if found:
        raise _circle(found)


def refuse_circle(db: apsw.Connection, step: int, needed: list[int]) -> None:
    """Raise DependencyCycle, with the circle, when one leads through a step and what it needs by now.

    What they need in turn and what needs the step are walked at once, so that the smaller of the two decides
    how long it takes.
    """
    above, below = {*needed}, {step}
    left_above, left_below = [*needed], [step]
    while left_above and left_below:
        for each in _needed(db, left_above.pop()):
            if each not in above:
                above.add(each)
                left_above.append(each)
        for (each,) in db.execute(PLANS["needing"], {"step": left_below.pop()}):
            if each not in below:
                below.add(each)
                left_below.append(each)
        if not above.isdisjoint(below):
            break
    else:
        return
    found = find_circle([step], lambda each: _needed(db, each))
    if found:
        rows = (one(db, PLANS["status_of"], {"step": each}) for each in found)
        raise _circle([row[1] if row else 0 for row in rows])


def find_circle(starts: list[int], needed: Callable[[int], list[int]]) -> list[int]:
    """The first circle that can be reached from these, from a step to itself; nothing if there is none."""
    done: set[int] = set()
    for start in starts:
        if start in done:
            continue
        # Each entry is a step and what it still has to look into; no recursion: chains can be long.
        stack = [(start, needed(start))]
        path, on_path = [start], {start}
        while stack:
            step, left = stack[-1]
            if not left:
                stack.pop()
                on_path.discard(path.pop())
                done.add(step)
                continue
            following = left.pop()
            if following in on_path:
                return [*path[path.index(following) :], following]
            if following not in done:
                stack.append((following, needed(following)))
                path.append(following)
                on_path.add(following)
    return []


def _needed(db: apsw.Connection, step: int) -> list[int]:
    return [row[0] for row in db.execute(PLANS["needs_of_step"], {"step": step})]


def _circle(nums: list[int]) -> DependencyCycle:
    if len(nums) == 2:
        return DependencyCycle(f"Step {nums[0]} can't need itself; nothing was changed.", cycle=nums)
    shown = " -> ".join(str(num) for num in nums[:30]) + (" -> ..." if len(nums) > 30 else "")
    return DependencyCycle(
        f"Steps would wait for each other: {shown} ({len(nums) - 1} steps); nothing was changed.", cycle=nums
    )
