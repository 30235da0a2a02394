"""Sending: what is stored, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.errors import (
    InboxFull,
    MessageNotFound,
    MessageTooLarge,
    NoInbox,
    NotRegistered,
    NotYourMessage,
    RoleForbids,
    UnknownRecipient,
)
from hubbub.model import MAX_DELIVERIES, MAX_MESSAGE_BYTES, Actor, Draft, Message
from tests.contract.world import World


def _nothing_was_sent(world: World, before: int) -> None:
    assert world.last_seq() == before
    assert all(agent.queued == 0 for agent in world.agents.all())


def test_what_is_sent_is_what_is_received(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    metadata: dict[str, Any] = {"b": [1, {"ü": None}], "a": 2.5}
    sent = world.mail.send(
        ada,
        Draft(
            ("bob",),
            "line 1\nline 2 \x1b[31m 🐝",
            subject="Sübject",
            kind="task",
            priority="urgent",
            metadata=metadata,
            thread="release",
            reply_within_ms=60_000,
        ),
    )
    now = world.store.now()
    delivery = world.take_one(bob)
    assert delivery.message == Message(
        id=sent.id,
        seq=sent.seq,
        sender="ada",
        recipients=("bob",),
        thread="release",
        in_reply_to=None,
        kind="task",
        priority="urgent",
        subject="Sübject",
        body="line 1\nline 2 \x1b[31m 🐝",
        metadata=metadata,
        reply_due=now + 60_000,
        created_at=now,
    )
    assert (sent.thread, sent.recipients, sent.created_at) == ("release", ("bob",), now)
    assert (sent.repeated, sent.settled) == (False, None)
    assert world.mail.message(sent.id) == delivery.message


def test_a_message_without_a_thread_begins_one(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob")
    assert sent.thread == sent.id
    assert world.mail.message(sent.id).thread == sent.id


def test_the_sender_is_the_actor(world: World) -> None:
    ada = world.seat("ada")
    world.agent("bob")
    sent = world.send(ada, "bob")
    assert world.mail.message(sent.id).sender == "ada"


def test_an_agent_may_write_to_itself(world: World) -> None:
    ada = world.agent("ada")
    sent = world.send(ada, "ada")
    assert world.take(ada) == [sent.id]


def test_ids_differ_and_order_goes_by_seq_even_when_the_clock_is_set_back(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = []
    for _ in range(5):
        sent.append(world.send(ada, "bob"))
        world.clock.advance(-3_600_000)
    assert len({one.id for one in sent}) == 5
    assert [one.seq for one in sent] == sorted(one.seq for one in sent)
    assert world.take(bob, limit=5) == [one.id for one in sent]


def test_sending_to_several_queues_it_for_each(world: World) -> None:
    ada, bob, cy = world.agents_named("ada", "bob", "cy")
    sent = world.send(ada, ("cy", "bob"))
    assert sent.recipients == ("cy", "bob")
    assert world.take(bob) == world.take(cy) == [sent.id]
    world.mail.settle(bob, (sent.id,))
    assert world.state("cy", sent.id) == "leased"


def test_everyone_is_every_registered_agent_with_an_inbox_but_the_sender(world: World) -> None:
    ada, _, cy = world.agents_named("ada", "bob", "cy")
    world.agent("press", role="publisher")
    world.agent("reader", role="consumer")
    world.agents.unregister("bob")
    sent = world.send(ada, "*")
    assert sent.recipients == ("cy", "reader")
    assert world.mail.message(sent.id).recipients == ("cy", "reader")
    assert world.take(ada) == []
    assert world.take(cy) == [sent.id]


def test_everyone_when_nobody_else_is_there(world: World) -> None:
    ada = world.agent("ada")
    world.agent("press", role="publisher")
    before = world.last_seq()
    with pytest.raises(UnknownRecipient):
        world.send(ada, "*")
    _nothing_was_sent(world, before)


def test_an_unknown_recipient_is_refused_with_the_nearest_names(world: World) -> None:
    ada, _, _ = world.agents_named("ada", "builder", "tester")
    before = world.last_seq()
    with pytest.raises(UnknownRecipient) as caught:
        world.send(ada, ("tester", "bilder"))
    assert "builder" in caught.value.hint
    assert caught.value.details["recipient"] == "bilder"
    _nothing_was_sent(world, before)


def test_an_unregistered_recipient_is_unknown(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.agents.unregister("bob")
    with pytest.raises(UnknownRecipient):
        world.send(ada, "bob")


def test_a_publisher_has_no_inbox(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.agent("press", role="publisher")
    before = world.last_seq()
    with pytest.raises(NoInbox):
        world.send(ada, ("bob", "press"))
    _nothing_was_sent(world, before)


def test_a_publisher_may_send(world: World) -> None:
    bob = world.agent("bob")
    sent = world.send(world.agent("press", role="publisher"), "bob")
    assert world.take(bob) == [sent.id]


def test_a_consumer_may_answer_but_not_begin(world: World) -> None:
    ada = world.agent("ada")
    reader = world.agent("reader", role="consumer")
    before = world.last_seq()
    with pytest.raises(RoleForbids):
        world.send(reader, "ada")
    _nothing_was_sent(world, before)
    asked = world.send(ada, "reader")
    answer = world.send(reader, "ada", in_reply_to=asked.id)
    assert world.take(ada) == [answer.id]


def test_an_inbox_takes_as_many_unsettled_messages_as_its_agent_set(world: World) -> None:
    ada = world.agent("ada")
    bob = world.agent("bob", inbox_limit=2)
    first, second = world.send(ada, "bob"), world.send(ada, "bob")
    with pytest.raises(InboxFull) as caught:
        world.send(ada, "bob")
    assert caught.value.details["recipient"] == "bob"
    assert world.take(bob, limit=2) == [first.id, second.id]
    with pytest.raises(InboxFull):  # what is in hand is unsettled, too
        world.send(ada, "bob")
    world.mail.settle(bob, (first.id,))
    assert world.send(ada, "bob").seq > second.seq


def test_a_full_inbox_refuses_the_message_for_all(world: World) -> None:
    ada, _ = world.agents_named("ada", "cy")
    world.agent("bob", inbox_limit=1)
    world.send(ada, "bob")
    before = world.last_seq()
    for to in (("cy", "bob"), "*"):
        with pytest.raises(InboxFull):
            world.send(ada, to)
    assert world.last_seq() == before
    assert world.agents.get("cy").queued == 0


def test_dead_letters_take_no_room(world: World) -> None:
    ada = world.agent("ada")
    world.agent("bob", inbox_limit=1)
    world.dead_letter("bob", ada)
    assert world.send(ada, "bob").recipients == ("bob",)


@pytest.mark.parametrize("why", ["expired", "used up"])
def test_what_fell_due_makes_room_at_once(world: World, why: str) -> None:
    ada = world.agent("ada")
    bob = world.agent("bob", inbox_limit=1)
    if why == "expired":
        world.send(ada, "bob", ttl_ms=1000)
    else:
        id_ = world.send(ada, "bob").id
        world.use_up("bob", id_, times=MAX_DELIVERIES - 1)
        assert world.take(bob) == [id_]
    world.clock.advance(400_000)
    assert world.send(ada, "bob").recipients == ("bob",)
    assert world.agents.get("bob").dead == 1


def test_a_message_may_be_as_large_as_the_recipient_says(world: World) -> None:
    ada = world.agent("ada")
    world.agent("bob", max_message_bytes=10)
    assert world.send(ada, "bob", "é" * 5).recipients == ("bob",)
    before = world.last_seq()
    with pytest.raises(MessageTooLarge) as caught:
        world.send(ada, "bob", "é" * 5 + "x")
    assert caught.value.details["recipient"] == "bob"
    assert world.last_seq() == before


@pytest.mark.parametrize("field", [{"subject": "12345"}, {"metadata": {"a": 1}}])
def test_subject_and_metadata_count(world: World, field: dict[str, Any]) -> None:
    ada = world.agent("ada")
    world.agent("bob", max_message_bytes=10)
    world.send(ada, "bob", "123456")
    with pytest.raises(MessageTooLarge):
        world.send(ada, "bob", "123456", **field)


def test_one_recipient_with_a_smaller_bound_refuses_for_all(world: World) -> None:
    ada, _ = world.agents_named("ada", "cy")
    world.agent("bob", max_message_bytes=10)
    with pytest.raises(MessageTooLarge):
        world.send(ada, ("cy", "bob"), "x" * 11)
    assert world.agents.get("cy").queued == 0


def test_a_message_of_the_default_size_is_carried_whole(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    body = "0123456789abcdef" * (MAX_MESSAGE_BYTES // 16)
    world.send(ada, "bob", body)
    assert world.take_one(bob).message.body == body
    with pytest.raises(MessageTooLarge):
        world.send(ada, "bob", body + "x")


def test_an_attachment_must_name_a_registered_agent(world: World) -> None:
    world.agent("bob")
    with pytest.raises(NotRegistered):
        world.send(Actor("nobody"), "bob")
    world.agents.unregister("bob")
    with pytest.raises(NotRegistered):
        world.send(Actor("bob"), "bob")


def test_an_answer_settles_what_it_answers(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    asked = world.send(ada, "bob")
    world.take(bob)
    answer = world.send(bob, "ada", in_reply_to=asked.id)
    assert answer.settled == asked.id
    assert world.state("bob", asked.id) == "settled"
    assert world.mail.message(answer.id).in_reply_to == asked.id


def test_an_answer_settles_only_the_own_delivery(world: World) -> None:
    ada, bob, _ = world.agents_named("ada", "bob", "cy")
    asked = world.send(ada, ("bob", "cy"))
    world.send(bob, "ada", in_reply_to=asked.id)
    assert world.state("cy", asked.id) == "queued"


def test_a_second_answer_is_sent_and_settles_nothing(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    asked = world.send(ada, "bob")
    first = world.send(bob, "ada", in_reply_to=asked.id)
    second = world.send(bob, "ada", in_reply_to=asked.id)
    assert second.settled is None
    assert world.take(ada, limit=5) == [first.id, second.id]
    assert world.mail.whereabouts(asked.id).recipients[0].answered_by == first.id


def test_an_answer_that_is_refused_settles_nothing(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    asked = world.send(ada, "bob")
    with pytest.raises(UnknownRecipient):
        world.send(bob, "nobody", in_reply_to=asked.id)
    assert world.state("bob", asked.id) == "queued"


def test_only_what_was_delivered_can_be_answered(world: World) -> None:
    ada, bob, _ = world.agents_named("ada", "bob", "cy")
    asked = world.send(ada, "cy")
    with pytest.raises(NotYourMessage):
        world.send(bob, "ada", in_reply_to=asked.id)
    with pytest.raises(NotYourMessage):
        world.send(ada, "cy", in_reply_to=asked.id)
    for unknown in ("m1zzzzz", "nonsense", ""):
        with pytest.raises(MessageNotFound):
            world.send(bob, "ada", in_reply_to=unknown)
