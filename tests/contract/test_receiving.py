"""Receiving and peeking: what is handed out, in which order, and what is said of the rest."""

from __future__ import annotations

import pytest

from hubbub.errors import RoleForbids, UnknownAgent
from hubbub.model import LEASE_MS, Actor, Filter
from tests.contract.world import World


def test_an_empty_inbox(world: World) -> None:
    bob = world.agent("bob")
    handout = world.mail.receive(bob)
    assert handout == ((), 0, None)
    assert world.events("message_received") == []


def test_order_is_urgent_normal_low_then_seq(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent: dict[str, list[str]] = {"low": [], "normal": [], "urgent": []}
    for priority in ("low", "urgent", "normal", "low", "urgent", "normal"):
        sent[priority].append(world.send(ada, "bob", priority=priority).id)
    expected = sent["urgent"] + sent["normal"] + sent["low"]
    assert [one.message.id for one in world.mail.peek("bob").deliveries] == expected
    assert world.take(bob, limit=6) == expected


def test_one_is_handed_out_unless_more_are_asked_for(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = [world.send(ada, "bob").id for _ in range(4)]
    first = world.mail.receive(bob)
    assert [one.message.id for one in first.deliveries] == sent[:1]
    assert first.remaining == 3
    second = world.mail.receive(bob, limit=2)
    assert [one.message.id for one in second.deliveries] == sent[1:3]
    assert second.remaining == 1
    assert world.take(bob, limit=9) == sent[3:]


def test_a_returned_message_keeps_its_place(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    first, second = world.send(ada, "bob").id, world.send(ada, "bob").id
    world.take(bob)
    world.mail.release(bob, (first,))
    assert world.take(bob, limit=2) == [first, second]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Filter(sender="cy"), [1]),
        (Filter(kind="task"), [2]),
        (Filter(priority="low"), [3]),
        (Filter(priority="normal"), [0, 1, 2, 4]),
        (Filter(thread="release"), [4]),
        (Filter(sender="ada", kind="task"), [2]),
        (Filter(sender="cy", kind="task"), []),
        (Filter(sender="nobody"), []),
        (Filter(thread="m1zzzzz"), []),
    ],
)
def test_filters(world: World, wanted: Filter, numbers: list[int]) -> None:
    ada, bob, cy = world.agents_named("ada", "bob", "cy")
    sent = [
        world.send(ada, "bob"),
        world.send(cy, "bob"),
        world.send(ada, "bob", kind="task"),
        world.send(ada, "bob", priority="low"),
        world.send(ada, "bob", thread="release"),
    ]
    expected = [sent[number].id for number in numbers]
    peeked = world.mail.peek("bob", wanted)
    assert [one.message.id for one in peeked.deliveries] == expected
    handed = world.mail.receive(bob, wanted, limit=10)
    assert [one.message.id for one in handed.deliveries] == expected
    assert handed.remaining == peeked.remaining == len(sent) - len(expected)


def test_a_thread_is_filtered_with_the_message_that_began_it(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    root = world.send(ada, "bob").id
    world.send(ada, "bob")
    more = world.send(ada, "bob", thread=root).id
    assert world.take(bob, Filter(thread=root), limit=10) == [root, more]


def test_max_bytes_ends_the_batch_but_never_before_the_first(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = [world.send(ada, "bob", body).id for body in ("x" * 10, "é" * 5, "x", "y")]
    assert world.take(bob, limit=9, max_bytes=1) == sent[:1]
    assert world.take(bob, limit=9, max_bytes=11) == sent[1:3]
    assert world.take(bob, limit=9, max_bytes=11) == sent[3:]


def test_remaining_counts_only_what_is_queued(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    for number in range(4):
        world.send(ada, "bob", str(number))
    world.mail.settle(bob, tuple(world.take(bob)))
    world.take(bob)
    assert world.mail.receive(bob).remaining == 1


def test_next_due_is_when_a_leased_message_can_next_be_had(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.send(ada, "bob"), world.send(ada, "bob")
    world.take(bob, lease_ms=9000)
    due = world.mail.receive(bob, lease_ms=5000).next_due_at
    assert due == world.store.now() + 5000
    assert world.mail.receive(bob).next_due_at == due
    assert world.mail.peek("bob").next_due_at == due


def test_next_due_is_when_a_delayed_message_can_next_be_had(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    world.take(bob)
    at = world.store.now() + 7000
    world.mail.release(bob, (sent,), delay_ms=7000)
    handout = world.mail.receive(bob)
    assert handout == ((), 1, at)
    world.clock.advance(6999)
    assert world.take(bob) == []
    world.clock.advance(1)
    assert world.take(bob) == [sent]


def test_next_due_is_none_when_nothing_falls_due(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.send(ada, "bob")
    assert world.mail.peek("bob").next_due_at is None
    world.mail.settle(bob, tuple(world.take(bob)))
    assert world.mail.receive(bob).next_due_at is None


def test_a_lease_that_ran_out_is_handed_out_again_at_once(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    world.take(bob)
    world.clock.advance(LEASE_MS)
    assert [one.message.id for one in world.mail.peek("bob").deliveries] == [sent]
    again = world.take_one(Actor("bob"))
    assert (again.message.id, again.delivery_count) == (sent, 2)


def test_peek_changes_nothing(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = [world.send(ada, "bob").id for _ in range(3)]
    before = world.last_seq(), world.agents.get("bob")
    peeked = world.mail.peek("bob", limit=2)
    assert [one.message.id for one in peeked.deliveries] == sent[:2]
    assert [(one.state, one.delivery_count) for one in peeked.deliveries] == [("queued", 0), ("queued", 0)]
    assert peeked.remaining == 1
    assert (world.last_seq(), world.agents.get("bob")) == before
    assert world.take_one(bob).delivery_count == 1


def test_peek_at_nobody(world: World) -> None:
    world.agent("builder")
    with pytest.raises(UnknownAgent) as caught:
        world.mail.peek("bilder")
    assert "builder" in caught.value.hint


def test_a_publisher_has_nothing_to_receive(world: World) -> None:
    with pytest.raises(RoleForbids):
        world.mail.receive(world.agent("press", role="publisher"))


def test_a_session_and_an_attachment_share_the_inbox(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    first, second = world.send(ada, "bob").id, world.send(ada, "bob").id
    assert world.take(bob) == [first]
    assert world.take(Actor("bob")) == [second]
    assert world.take(bob) == []
    assert world.mail.settle(Actor("bob"), (first,)) == (first,)


def test_receive_settles_in_the_same_stroke(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    first, second = world.send(ada, "bob").id, world.send(ada, "bob").id
    world.take(bob)
    handed = world.mail.receive(bob, settle=(first,))
    assert [one.message.id for one in handed.deliveries] == [second]
    assert world.mail.whereabouts(first).recipients[0].settled_by == "implicit"
    assert world.mail.receive(bob, settle=(second,)).deliveries == ()
    assert world.state("bob", second) == "settled"


def test_receive_skips_what_is_not_its_to_settle(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    queued, other = world.send(ada, "bob").id, world.send(ada, "bob", priority="urgent").id
    assert world.take(Actor("bob")) == [other]
    handed = world.mail.receive(bob, settle=(other, "nonsense", "m1zzzzz"))
    assert [one.message.id for one in handed.deliveries] == [queued]
    assert world.state("bob", other) == "leased"
