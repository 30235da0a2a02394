"""What work tells: news in the topics of projects, and figures."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from hubbub.errors_work import ProjectNotFound
from hubbub.model_work import CLAIM_MS, Counts, Metrics, Need, Wanted
from hubbub.stores import open_store
from tests.contract.working import a_long_day, claimed, did, draft, failed, planned
from tests.contract.world import World

# --- news ------------------------------------------------------------------------------------------


def _news(world: World, topic: str = "p") -> list[str]:
    return world.written(topic)


def test_what_happened_to_steps_is_told_in_the_projects_topic_once_and_in_order(world: World) -> None:
    a_long_day(world)
    already = len(_news(world))
    count = world.work.tell()
    told = _news(world)
    assert count == len(told) - already
    assert told == [
        "Step 1 (1) is completed - commit f00; good.",
        "Step 1 (1) is merged.",
        "Step 2 (2) failed - task: broken.",
        "Step 2 (2) is parked: its attempts are used up.",
        "Step 2 (2) is to be done again - again.",
        "Step 2 (2) was given back and can be claimed again.",
        "Step 2 (2) was lost by its holder - its lease ran out.",
        "Step 3 (3) was taken back from its holder - its lease ran out.",
        "Step 4 (four) is cancelled - no need.",
        "Step 2 (2) is completed.",
        "Step 3 (3) is completed.",
        "All steps of p are over: the project is completed.",
    ]
    assert world.work.tell() == 0
    assert _news(world) == told


def test_what_an_agent_ends_with_a_full_stop_gets_no_second_one(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    did(world, ada, result="Call tokens().")
    world.work.tell()
    assert _news(world) == ["Step 1 (a) is completed - Call tokens()."]


def test_news_say_who_and_of_what(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a", "b")
    did(world, bob)
    world.work.tell()
    (post,) = world.topics.history("p").messages
    assert (post.sender, post.kind) == ("bob", "status")
    assert post.metadata == {"event": "step_completed", "project": "p", "attempt": 1, "step": 1}


def test_members_of_the_topic_read_the_news_and_not_their_own(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a", "b")
    for actor in (ada, bob):
        world.topics.join(actor, "p")
    did(world, bob)
    world.work.tell()
    assert world.read(ada, "p") == ["Step 1 (a) is completed."]
    assert world.read(bob, "p") == []


def test_news_are_told_a_part_at_a_time(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, *"abcdef")
    for _ in range(6):
        did(world, ada)
    counts: list[int] = []
    while not counts or counts[-1] or len(_news(world)) < 7:
        counts.append(world.work.tell(limit=4))
        assert len(counts) < 50
    assert sum(counts) == len(_news(world)) == 7
    assert len(set(_news(world))) == 7


def test_news_are_told_behind_much_that_is_none(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, *["x"] * 250)
    did(world, ada)
    assert world.work.tell() == 1
    assert _news(world) == ["Step 1 (x) is completed."]
    planned(world, ada, *["x"] * 5, name="closed")
    world.topics.close(ada, "closed")
    for num in range(1, 6):
        did(world, ada, f"closed/{num}")
    did(world, ada, "p/2")
    assert world.work.tell(limit=2) == 1
    assert _news(world)[1:] == ["Step 2 (x) is completed."]
    assert world.work.tell() == 0


def test_two_who_tell_at_once_tell_once(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, *["x"] * 30)
    for _ in range(30):
        did(world, ada)
    start = threading.Barrier(4)
    failures: list[BaseException] = []

    def tell() -> None:
        store = open_store(world.url, clock=world.clock)  # type: ignore[arg-type]
        try:
            start.wait()
            for _ in range(20):
                store.work.tell(limit=7)
        except BaseException as error:
            failures.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert _news(world) == [
        *[f"Step {num} (x) is completed." for num in range(1, 31)],
        "All steps of p are over: the project is completed.",
    ]


def test_a_topic_that_is_closed_or_gone_is_told_nothing_and_holds_up_nobody(world: World) -> None:
    ada = world.agent("ada")
    for name in ("closed", "gone", "open"):
        planned(world, ada, "a", name=name)
    world.topics.close(ada, "closed")
    world.topics.delete(ada, "gone")
    for name in ("closed", "gone", "open"):
        did(world, ada, f"{name}/1")
    assert world.work.tell() == 2
    assert len(_news(world, "open")) == 2
    assert _news(world, "closed") == []
    world.topics.reopen(ada, "closed")
    assert world.work.tell() == 0


def test_a_renamed_topic_is_still_the_projects(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    world.topics.rename(ada, "p", "site")
    did(world, ada)
    world.work.tell()
    assert len(_news(world, "site")) == 2


def test_news_of_what_no_agent_did(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("a", max_attempts=1, time_limit_ms=1000))
    claimed(world, ada)
    world.clock.advance(1000)
    world.store.sweep("h")
    assert _news(world) == [
        "Step 1 (a) was lost by its holder - its time limit passed.",
        "Step 1 (a) is parked: its attempts are used up.",
    ]
    assert [post.sender for post in world.topics.history("p").messages] == ["ada", "hubbub"]


def test_housekeeping_tells_what_was_not_told(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    did(world, ada)
    swept = world.store.sweep("h")
    assert swept.steps_told == 2
    assert len(_news(world)) == 2
    assert world.store.sweep("h").steps_told == 0


# --- figures ---------------------------------------------------------------------------------------


def test_figures_of_nothing(world: World) -> None:
    none = Metrics(Counts(), 0, {}, None, None, 0, {}, {})
    assert world.work.metrics() == none
    planned(world, world.agent("ada"), "a")
    assert world.work.metrics(scope="ui") == none
    with pytest.raises(ProjectNotFound):
        world.work.metrics(project="nonsense")


def test_figures_of_all_of_a_project_a_scope_and_an_agent(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft(scope="db"), draft(scope="db"), draft(scope="ui"), draft("x", 3, scope="ui"))
    planned(world, ada, "x", name="q")
    for actor, wait, work in ((ada, 100, 10), (bob, 200, 40)):
        world.clock.advance(wait)
        live = claimed(world, actor, project="p")
        world.clock.advance(work)
        world.work.complete(actor, live.token)
    failed(world, bob, "p/3", final=False, failure="environment")
    world.clock.advance(CLAIM_MS)
    claimed(world, bob, step="p/3")
    world.clock.advance(CLAIM_MS)
    found = world.work.metrics()
    assert found.counts == Counts(not_started=3, completed=2, ready=2)
    assert (found.attempts, found.failures) == (4, {"environment": 1, "lost": 1})
    assert (found.wait_ms, found.work_ms) == ((310, 310), (40, 40))
    assert found.by_scope == {
        "": Counts(not_started=1, ready=1),
        "db": Counts(completed=2),
        "ui": Counts(not_started=2, ready=1),
    }
    assert found.by_agent == {"ada": 1, "bob": 1}
    assert found.finished_last_hour == 2
    of_p = world.work.metrics(project="p")
    assert of_p.counts == Counts(not_started=2, completed=2, ready=1)
    of_db = world.work.metrics(scope="db")
    assert (of_db.counts, of_db.attempts) == (Counts(completed=2), 2)
    of_bob = world.work.metrics(agent="bob")
    assert (of_bob.attempts, of_bob.by_agent, of_bob.wait_ms) == (3, {"bob": 1}, (310, 310))
    assert of_bob.counts == Counts(not_started=1, completed=1, ready=1)
    world.clock.advance(3_600_000)
    assert world.work.metrics().finished_last_hour == 0


def test_the_median_and_the_95th_percentile(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, *["x"] * 100)
    claims = [claimed(world, ada) for _ in range(100)]
    for live in claims:
        world.clock.advance(10)
        world.work.complete(ada, live.token)
    assert world.work.metrics().work_ms == (510, 960)
    assert world.work.metrics().wait_ms == (0, 0)


def test_a_long_result_is_cut_in_the_news_and_kept_in_the_step(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    did(world, ada, result="line\n" * 10_000)
    world.work.tell()
    (news,) = _news(world)
    assert len(news) < 500
    assert "\n" not in news
    assert world.work.step("p/1")[0].result == "line\n" * 10_000


def test_an_end_can_tell_its_news_in_its_own_stroke(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    token = claimed(world, ada).token
    world.work.complete(ada, token, tell=True)
    assert _news(world) == ["Step 1 (a) is completed."]
    token = claimed(world, ada).token
    world.work.fail(ada, token, "no", tell=True, final=True)
    assert _news(world)[1:] == ["Step 2 (b) failed - task: no."]
    assert world.work.tell() == 0


def test_what_leads_on_without_an_end_of_a_step_is_told_too(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", 1), "c")
    world.work.edit_step(ada, "p/2", {"title": "B"})
    world.work.set_needs(ada, "p/3", add=(Need(1),))
    world.work.update_project(ada, "p", {"priority": 1})
    assert (world.work.tell(), _news(world)) == (0, [])
    world.work.set_needs(ada, "p/2", remove=(1,))
    world.work.release(ada, claimed(world, ada, step="p/1").token)
    world.work.update_project(ada, "p", {"state": "paused"})
    world.work.update_project(ada, "p", {"state": "paused", "priority": 2})
    world.work.update_project(ada, "p", {"state": "active"})
    world.work.tell()
    assert _news(world) == [
        "Step 2 (B) waits for no other step any more.",
        "Step 1 (a) was given back and can be claimed again.",
        "The project p is paused; it was active.",
        "The project p is active; it was paused.",
    ]


@pytest.mark.parametrize("look", ["claim", "nothing", "mine", "step", "steps", "explain", "project"])
def test_a_loss_is_told_by_whoever_finds_it(world: World, look: str) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, *("a" if look == "nothing" else "ab"))
    claimed(world, bob)
    world.clock.advance(CLAIM_MS)
    looks: dict[str, Callable[[], object]] = {
        "claim": lambda: world.work.claim(ada),
        "nothing": lambda: world.work.claim(ada, Wanted(step="p/1", scope=None)),
        "mine": lambda: world.work.mine(ada),
        "step": lambda: world.work.step("p/1"),
        "steps": lambda: world.work.steps("p"),
        "explain": lambda: world.work.explain("p/1"),
        "project": lambda: world.work.project("p"),
    }
    looks[look]()
    assert _news(world) == ["Step 1 (a) was lost by its holder - its lease ran out."]
    assert world.work.tell() == 0


@pytest.mark.parametrize("change", ["set_needs", "release", "resume", "cancel"])
def test_who_waits_for_work_wakes_when_a_change_makes_a_step_ready(world: World, change: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", Need(1, on_failure="continue")))
    live = claimed(world, ada, step="p/1")
    if change == "resume":
        world.work.update_project(ada, "p", {"state": "paused"})
    with world.store.bell("work") as bell:
        if change == "set_needs":
            world.work.set_needs(ada, "p/2", remove=(1,))
        elif change == "release":
            world.work.release(ada, live.token)
        elif change == "cancel":
            world.work.cancel_step(ada, "p/1")
        else:
            world.work.update_project(ada, "p", {"state": "active"})
        assert bell.wait(5)
