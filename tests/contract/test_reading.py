"""Looking at mail: single messages, receipts, threads, and who may see them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubbub.errors import MessageNotFound, NotYourMessage, ThreadNotFound
from hubbub.model import LEASE_MS, Whereabouts
from tests.contract.world import World


def _place(world: World, id_: str) -> Whereabouts:
    (found,) = world.mail.whereabouts(id_).recipients
    return found


def test_a_reader_sees_what_it_sent_or_was_sent(world: World) -> None:
    ada, _, _ = world.agents_named("ada", "bob", "cy")
    sent = world.send(ada, "bob").id
    for reader in ("ada", "bob", None):
        assert world.mail.message(sent, reader=reader).id == sent
        assert world.mail.whereabouts(sent, reader=reader).message.id == sent
    with pytest.raises(NotYourMessage):
        world.mail.message(sent, reader="cy")
    with pytest.raises(NotYourMessage):
        world.mail.whereabouts(sent, reader="cy")


def test_reading_does_not_settle(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    before = world.last_seq()
    world.mail.message(sent, reader="bob")
    world.mail.delivery("bob", sent)
    world.mail.whereabouts(sent)
    world.mail.thread(sent)
    assert world.last_seq() == before
    assert world.state("bob", sent) == "queued"


@pytest.mark.parametrize("text", ["", "nonsense", "m1zzzzz", "m0000000", "M1ABCDE", "m" * 300, "1", "ä"])
def test_an_unknown_id(world: World, text: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob")
    looks: list[Callable[[], object]] = [
        lambda: world.mail.message(text),
        lambda: world.mail.whereabouts(text),
        lambda: world.mail.delivery("bob", text),
    ]
    for look in looks:
        with pytest.raises(MessageNotFound):
            look()


def test_a_delivery_that_was_never_made(world: World) -> None:
    ada, _, _ = world.agents_named("ada", "bob", "cy")
    sent = world.send(ada, "bob").id
    with pytest.raises(NotYourMessage):
        world.mail.delivery("cy", sent)


def test_where_a_queued_message_is(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    since = world.store.now()
    sent = world.send(ada, "bob").id
    world.clock.advance(7)
    assert _place(world, sent) == Whereabouts("bob", "queued", since, 0, None, None, None, None, ())


def test_where_a_leased_message_is(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    sent = world.send(ada, "bob").id
    world.clock.advance(7)
    world.take(bob)
    now = world.store.now()
    expected = Whereabouts("bob", "leased", now, 1, bob.session, now + LEASE_MS, None, None, ())
    assert _place(world, sent) == expected


def test_where_a_message_is_whose_lease_ran_out(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    world.take(bob)
    world.clock.advance(LEASE_MS)
    found = _place(world, sent)
    assert (found.state, found.since, found.delivery_count) == ("queued", world.store.now(), 1)
    assert (found.session, found.lease_until) == (None, None)
    assert len(found.reasons) == 1


@pytest.mark.parametrize("how", ["acknowledge", "implicit"])
def test_where_a_settled_message_is(world: World, how: str) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    sent = world.send(ada, "bob").id
    world.take(bob)
    world.clock.advance(7)
    if how == "acknowledge":
        world.mail.settle(bob, (sent,))
    else:
        world.mail.settle_implicitly(bob, (sent,))
    assert _place(world, sent) == Whereabouts(
        "bob", "settled", world.store.now(), 1, None, None, how, None, ()
    )


def test_where_an_answered_message_is(world: World) -> None:
    ada, bob, _ = world.agents_named("ada", "bob", "cy")
    sent = world.send(ada, ("bob", "cy")).id
    world.take(bob)
    answer = world.send(bob, "ada", in_reply_to=sent).id
    mine, other = world.mail.whereabouts(sent).recipients
    assert (mine.agent, mine.state, mine.settled_by, mine.answered_by) == ("bob", "settled", "reply", answer)
    assert (other.agent, other.state, other.answered_by) == ("cy", "queued", None)


def test_an_answer_after_an_acknowledgement_is_seen(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    world.mail.settle(bob, (sent,))
    answer = world.send(bob, "ada", in_reply_to=sent).id
    found = _place(world, sent)
    assert (found.settled_by, found.answered_by) == ("acknowledge", answer)


def test_where_a_dead_and_a_purged_message_is(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    sent = world.dead_letter("bob", ada).id
    dead = _place(world, sent)
    assert dead.state == "dead"
    assert "expired" in dead.reasons[-1]
    world.mail.purge((sent,))
    assert _place(world, sent).state == "purged"
    assert world.mail.whereabouts(sent, reader="ada").message.body == ""


def test_where_a_message_to_an_unregistered_agent_is(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    world.agents.unregister("bob")
    assert _place(world, sent).state == "queued"


def test_a_thread_is_read_by_its_name_or_by_any_message_in_it(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    root = world.send(ada, "bob", "1")
    world.send(ada, "bob", "apart")
    reply = world.send(bob, "ada", "2", thread=root.thread, in_reply_to=root.id)
    last = world.send(ada, "bob", "3", thread=root.thread)
    for name in (root.thread, reply.id, last.id):
        page = world.mail.thread(name)
        assert [message.body for message in page.messages] == ["1", "2", "3"]
        assert page.next_seq is None


def test_a_named_thread(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    first = world.send(ada, "bob", "1", thread="release 1.0")
    world.send(bob, "ada", "2", thread="release 1.0")
    for name in ("release 1.0", first.id):
        assert [message.body for message in world.mail.thread(name).messages] == ["1", "2"]


def test_a_thread_comes_in_pages(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    root = world.send(ada, "bob", "0")
    for number in range(1, 5):
        world.send(ada, "bob", str(number), thread=root.id)
    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        page = world.mail.thread(root.id, after=after, limit=2)
        assert len(page.messages) <= 2
        seen += [message.body for message in page.messages]
        after = page.next_seq
    assert seen == ["0", "1", "2", "3", "4"]


def test_a_reader_sees_of_a_thread_what_it_may_see(world: World) -> None:
    ada, bob, _, _ = world.agents_named("ada", "bob", "cy", "dee")
    root = world.send(ada, "bob", "to bob")
    world.send(ada, "cy", "to cy", thread=root.id)
    world.send(bob, ("ada", "cy"), "to both", thread=root.id)
    bodies = {
        reader: [message.body for message in world.mail.thread(root.id, reader=reader).messages]
        for reader in (None, "ada", "bob", "cy")
    }
    assert bodies[None] == bodies["ada"] == ["to bob", "to cy", "to both"]
    assert bodies["bob"] == ["to bob", "to both"]
    assert bodies["cy"] == ["to cy", "to both"]
    with pytest.raises(ThreadNotFound):
        world.mail.thread(root.id, reader="dee")


@pytest.mark.parametrize("name", ["nothing", "m1zzzzz", "m9zzzzz"])
def test_a_thread_that_is_not_there(world: World, name: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob")
    with pytest.raises(ThreadNotFound):
        world.mail.thread(name)


def test_the_end_of_a_thread_is_not_its_absence(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob")
    assert world.mail.thread(sent.id, after=sent.seq) == ((), None)
