"""The writers' queue: order, time-out, abandoned places, and closing while waiting."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hubbub.errors import BusBusy
from hubbub.stores.sqlite.writers import Turnstile

PATIENCE = 30.0
PATIENCE_MS = 30_000

needs_proc_locks = pytest.mark.skipif(
    not os.path.exists("/proc/locks"), reason="who waits for a lock can be seen only on Linux"
)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Callable[[int], Turnstile]]:
    """Makes turnstiles of one queue, which are closed at the end."""
    made: list[Turnstile] = []

    def turnstile(timeout_ms: int) -> Turnstile:
        made.append(Turnstile(str(tmp_path / "queue"), timeout_ms))
        return made[-1]

    yield turnstile
    for one in made:
        one.close()


def _until_waiting(path: Path, count: int) -> None:
    """Return once ``count`` waiters stand in the kernel's queue for the lock on ``path``."""
    inode = str(path.stat().st_ino)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with open("/proc/locks", encoding="ascii") as locks:
            waiting = [line for line in locks if "->" in line and f":{inode} " in line]
        if len(waiting) == count:
            return
    raise AssertionError(f"{count} waiters did not appear")


def test_turns_follow_each_other(place: Callable[[int], Turnstile]) -> None:
    one, other = place(50), place(50)
    for _ in range(3):
        one.enter()
        one.leave()
        other.enter()
        other.leave()


def test_a_turn_that_does_not_come_is_given_up(place: Callable[[int], Turnstile]) -> None:
    one, other = place(50), place(50)
    one.enter()
    for _ in range(3):
        with pytest.raises(BusBusy):
            other.enter()
    one.leave()


@needs_proc_locks
def test_turns_come_in_the_order_of_arrival(place: Callable[[int], Turnstile], tmp_path: Path) -> None:
    holder, order = place(PATIENCE_MS), list[int]()
    holder.enter()
    waiters: list[threading.Thread] = []
    for number in range(5):
        turnstile = place(PATIENCE_MS)

        def wait(turnstile: Turnstile = turnstile, number: int = number) -> None:
            turnstile.enter()
            order.append(number)
            turnstile.leave()

        waiters.append(threading.Thread(target=wait))
        waiters[-1].start()
        _until_waiting(tmp_path / "queue", number + 1)
    holder.leave()
    for waiter in waiters:
        waiter.join(PATIENCE)
    assert order == [0, 1, 2, 3, 4]


@needs_proc_locks
def test_who_gave_up_and_comes_again_takes_its_old_place(
    place: Callable[[int], Turnstile], tmp_path: Path
) -> None:
    holder, patient, order = place(PATIENCE_MS), place(PATIENCE_MS), list[str]()
    holder.enter()
    hasty = place(50)
    with pytest.raises(BusBusy):
        hasty.enter()
    _until_waiting(tmp_path / "queue", 1)

    def wait(turnstile: Turnstile, name: str) -> None:
        turnstile.enter()
        order.append(name)
        turnstile.leave()

    second = threading.Thread(target=wait, args=(patient, "patient"))
    second.start()
    _until_waiting(tmp_path / "queue", 2)
    hasty._timeout = PATIENCE
    first = threading.Thread(target=wait, args=(hasty, "hasty"))
    first.start()
    holder.leave()
    first.join(PATIENCE)
    second.join(PATIENCE)
    assert sorted(order) == ["hasty", "patient"]


def test_a_turn_that_nobody_takes_is_passed_on(place: Callable[[int], Turnstile]) -> None:
    holder, hasty, next_one = place(50), place(50), place(PATIENCE_MS)
    holder.enter()
    with pytest.raises(BusBusy):
        hasty.enter()
    holder.leave()
    next_one.enter()
    next_one.leave()
    hasty._timeout = PATIENCE
    hasty.enter()
    with pytest.raises(BusBusy):
        holder.enter()
    hasty.leave()


def test_closing_while_waiting_leaves_no_lock_behind(place: Callable[[int], Turnstile]) -> None:
    holder, hasty, next_one = place(50), place(50), place(PATIENCE_MS)
    holder.enter()
    with pytest.raises(BusBusy):
        hasty.enter()
    hasty.close()
    holder.leave()
    next_one.enter()
    next_one.leave()


def test_closing_with_the_turn_lets_it_go(place: Callable[[int], Turnstile]) -> None:
    holder, next_one = place(50), place(PATIENCE_MS)
    holder.enter()
    holder.close()
    holder.close()
    next_one.enter()


def test_only_one_has_the_turn_at_a_time(place: Callable[[int], Turnstile]) -> None:
    """Many hasty threads: none may have the turn while another has it."""
    inside, overlaps, turns = list[int](), list[int](), list[int]()
    stop = threading.Event()

    def work(turnstile: Turnstile, number: int) -> None:
        for _ in range(150):
            try:
                turnstile.enter()
            except BusBusy:
                continue
            inside.append(number)
            if len(inside) > 1:
                overlaps.append(number)
            turns.append(number)
            stop.wait(0.0005)
            inside.remove(number)
            turnstile.leave()

    threads = [threading.Thread(target=work, args=(place(1), number)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert turns
    assert overlaps == []


def test_an_abandoned_turn_is_not_let_go_under_one_who_came_meanwhile(
    place: Callable[[int], Turnstile], monkeypatch: pytest.MonkeyPatch
) -> None:
    about_to_unlock, go, entered = threading.Event(), threading.Event(), threading.Event()
    real = fcntl.flock
    visible = [threading.current_thread()]

    def flock(file: int, operation: int) -> None:
        if operation == fcntl.LOCK_UN and threading.current_thread() not in visible:
            about_to_unlock.set()
            go.wait(PATIENCE)
        real(file, operation)

    holder, hasty, third = place(PATIENCE_MS), place(50), place(50)
    holder.enter()
    with pytest.raises(BusBusy):
        hasty.enter()
    hasty._timeout = PATIENCE
    monkeypatch.setattr("hubbub.stores.sqlite.writers.fcntl.flock", flock)
    holder.leave()
    assert about_to_unlock.wait(PATIENCE)

    def enter() -> None:
        hasty.enter()
        entered.set()

    comer = threading.Thread(target=enter)
    visible.append(comer)
    comer.start()
    # It may enter at once, or wait until the helper is done: either way it has the turn afterwards.
    entered.wait(0.2)
    go.set()
    comer.join(PATIENCE)
    assert entered.is_set()
    monkeypatch.undo()
    with pytest.raises(BusBusy):
        third.enter()
    hasty.leave()
