"""A line goes in only at a quiet prompt, and is sent only as it was: 200 runs of program, person and mail."""

from __future__ import annotations

import pytest

from hubbub.wake.profiles import compact
from hubbub.wake.ring import doorbell
from tests.properties.ring_world import END, World

RUNS = 200
EACH = 10
TINY = 1e-6


def check(seed: int) -> World:
    """Run one, and see that nothing was done that must not be."""
    world = World(seed)
    world.run()
    profile = world.profile
    lines = [each for each in world.got if each.who == "hubbub" and each.data != b"\r"]
    enters = [each for each in world.got if each.who == "hubbub" and each.data == b"\r"]
    for each in lines:
        case = f"seed {seed}, at {each.at:.3f}: {each}"
        assert not each.dialog, case
        assert each.text == "", case
        assert each.untouched_for >= profile.untouched_seconds - TINY, case
        if each.busy:
            assert profile.queues, case
        else:
            # While the last spin of a busy program that keeps lines is shown it still looks busy.
            assert each.quiet_for >= profile.quiet_seconds - TINY or profile.queues, case
    for each in enters:
        case = f"seed {seed}, at {each.at:.3f}: {each}"
        assert not each.dialog, case
        assert compact(each.text) in {
            compact(doorbell(count, urgent)) for count in range(400) for urgent in (0, 1)
        }, case
    for sent in world.sent:
        if sent.who == "hubbub":
            assert sent.text.startswith("Hubbub: "), f"seed {seed}: {sent}"
            assert sent.text.endswith(("act on it.", "act on them.")), f"seed {seed}: {sent}"
    assert not world.unrung, f"seed {seed}: {len(world.unrung)} not rung for by {END}; {world.ringer.state!r}"
    return world


@pytest.mark.parametrize("first", range(0, RUNS, EACH))
def test_a_line_is_put_in_only_where_it_may_be(first: int) -> None:
    for seed in range(first, first + EACH):
        check(seed)


def test_the_runs_have_all_that_they_are_to_show() -> None:
    worlds = [check(seed) for seed in range(60)]
    got = [each for world in worlds for each in world.got]
    rings = sum(1 for world in worlds for sent in world.sent if sent.who == "hubbub")
    assert rings > 60
    assert any(each.who == "hubbub" and each.busy for each in got)
    assert any(each.who == "person" and each.dialog for each in got)
    assert any(each.who == "person" and each.text.startswith("Hubbub") for each in got)
    assert any(len(world.sent) and not world.pastes for world in worlds)


def test_a_run_is_the_same_each_time() -> None:
    assert check(17).got == check(17).got
