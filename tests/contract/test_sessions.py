"""Sessions: who holds a name, how it is lost, and what happens to mail in hand."""

from __future__ import annotations

import pytest

from hubbub.errors import NameTaken, SessionEnded, SessionSuperseded, UnknownAgent, WrongContext
from hubbub.model import SESSION_TTL_MS, Actor, NewSession, Profile
from tests.contract.world import World


def test_a_session_holds_the_name(world: World) -> None:
    made = world.opened("ada", id="s-a", client="claude", client_session="c-1", process="p", folder="/w")
    session = made.agent.session
    assert session is not None
    now = world.store.now()
    assert session == world.agents.sessions()[0]
    assert (session.id, session.agent, session.state) == ("s-a", "ada", "live")
    assert (session.client, session.client_session) == ("claude", "c-1")
    assert (session.process, session.folder) == ("p", "/w")
    assert (session.started_at, session.beat_at) == (now, now)
    assert session.expires_at == now + SESSION_TTL_MS
    assert (session.ended_at, session.ended_why) == (None, None)


def test_a_second_session_is_refused_with_names_that_are_free(world: World) -> None:
    world.agent("ada-2")
    world.opened("ada", client="claude")
    with pytest.raises(NameTaken) as caught:
        world.opened("ada")
    assert "ada-3" in caught.value.hint
    assert "ada-2" not in caught.value.hint
    assert "claude" in caught.value.message
    assert len(world.agents.sessions()) == 1


def test_a_refused_session_changes_nothing(world: World) -> None:
    world.opened("ada")
    before = world.agents.get("ada"), world.last_seq()
    with pytest.raises(NameTaken):
        world.agents.register(Profile("ada", "publisher", "new", 1, 1), NewSession("s-x"))
    assert (world.agents.get("ada"), world.last_seq()) == before


def test_names_for_the_longest_name_keep_the_rule(world: World) -> None:
    from hubbub.names import NAME_RULE

    world.opened("a" * 64)
    with pytest.raises(NameTaken) as caught:
        world.opened("a" * 64)
    proposed = [word.strip(",.") for word in caught.value.hint.split() if word.startswith("aaa")]
    assert proposed
    assert all(NAME_RULE.fullmatch(name) for name in proposed)


def test_registering_again_with_the_same_session_is_a_safe_retry(world: World) -> None:
    session = NewSession("s-a", client="claude")
    world.agents.register(Profile("ada"), session)
    again = world.agents.register(Profile("ada"), session)
    assert not again.created
    assert again.superseded is None
    assert again.agent.session is not None
    assert [found.id for found in world.agents.sessions()] == ["s-a"]


def test_taking_over_again_with_the_same_session_is_a_safe_retry(world: World) -> None:
    world.opened("ada", id="s-old")
    session = NewSession("s-new")
    world.agents.register(Profile("ada"), session, take_over=True)
    again = world.agents.register(Profile("ada"), session, take_over=True)
    assert again.agent.session is not None
    assert again.agent.session.state == "live"
    assert [found.id for found in world.agents.sessions()] == ["s-new"]


def test_registering_without_a_session_does_not_touch_the_holder(world: World) -> None:
    ada = world.seat("ada")
    assert world.agents.register(Profile("ada", description="x")).agent.session is not None
    assert world.agents.beat(ada.session or "").state == "live"


def test_a_take_over_fences_the_older_session_out(world: World) -> None:
    bob = world.agent("bob")
    old = world.seat("ada")
    sent = world.send(bob, "ada")
    world.take(old)
    made = world.opened("ada", take_over=True)
    assert made.superseded is not None
    assert made.superseded.id == old.session
    with pytest.raises(SessionSuperseded):
        world.agents.beat(old.session or "")
    assert made.agent.session is not None
    returned = world.take_one(Actor("ada", made.agent.session.id))
    assert returned.message.id == sent.id
    assert returned.redelivered
    assert returned.reasons
    (event,) = world.events("session_superseded")
    assert event.session == old.session


def test_a_take_over_of_a_free_name_supersedes_nobody(world: World) -> None:
    assert world.opened("ada", take_over=True).superseded is None


def test_a_session_without_beats_no_longer_holds_the_name(world: World) -> None:
    old = world.seat("ada")
    world.clock.advance(SESSION_TTL_MS)
    assert world.agents.get("ada").session is None
    assert world.agents.sessions() == []
    made = world.opened("ada")
    assert made.superseded is None
    with pytest.raises(SessionSuperseded):
        world.agents.beat(old.session or "")
    assert [event.session for event in world.events("session_expired")] == [old.session]


def test_a_session_with_beats_keeps_the_name(world: World) -> None:
    ada = world.seat("ada")
    for _ in range(5):
        world.clock.advance(SESSION_TTL_MS - 1)
        beaten = world.agents.beat(ada.session or "")
        assert beaten.beat_at == world.store.now()
        assert beaten.expires_at == world.store.now() + SESSION_TTL_MS
    with pytest.raises(NameTaken):
        world.opened("ada")


def test_a_beat_is_no_event(world: World) -> None:
    ada = world.seat("ada")
    before = world.last_seq()
    world.agents.beat(ada.session or "")
    assert world.last_seq() == before


@pytest.mark.parametrize("swept", [False, True])
def test_a_beat_revives_an_expired_session(world: World, swept: bool) -> None:
    ada = world.seat("ada")
    world.clock.advance(SESSION_TTL_MS)
    if swept:
        assert world.store.sweep("h").sessions_expired == 1
    assert world.agents.beat(ada.session or "").state == "live"
    holder = world.agents.get("ada").session
    assert holder is not None
    assert holder.id == ada.session
    assert holder.ended_at is None


@pytest.mark.parametrize("swept", [False, True])
def test_any_operation_revives_an_expired_session(world: World, swept: bool) -> None:
    world.agent("bob")
    ada = world.seat("ada")
    world.clock.advance(SESSION_TTL_MS)
    if swept:
        world.store.sweep("h")
    world.send(ada, "bob")
    assert [session.id for session in world.agents.sessions()] == [ada.session]


def test_an_empty_receive_revives_an_expired_session(world: World) -> None:
    ada = world.seat("ada")
    world.clock.advance(SESSION_TTL_MS)
    assert world.take(ada) == []
    assert [session.id for session in world.agents.sessions()] == [ada.session]


@pytest.mark.parametrize("swept", [False, True])
def test_an_expired_session_is_not_revived_while_another_holds_the_name(world: World, swept: bool) -> None:
    world.agent("bob")
    old = world.seat("ada")
    world.clock.advance(SESSION_TTL_MS)
    if swept:
        world.store.sweep("h")
    new = world.seat("ada")
    with pytest.raises(SessionSuperseded):
        world.agents.beat(old.session or "")
    with pytest.raises(SessionSuperseded):
        world.send(old, "bob")
    assert [session.id for session in world.agents.sessions()] == [new.session]


def test_a_beat_does_not_bring_an_unregistered_name_back(world: World) -> None:
    ada = world.seat("ada")
    world.clock.advance(SESSION_TTL_MS)
    world.store.sweep("h")
    world.agents.unregister("ada")
    with pytest.raises(WrongContext):
        world.agents.beat(ada.session or "")
    assert world.agents.sessions() == []


def test_a_beat_of_a_session_that_is_not_known(world: World) -> None:
    with pytest.raises(SessionEnded):
        world.agents.beat("s-nobody")


def test_ending_a_session_returns_what_it_had_in_hand(world: World) -> None:
    bob = world.agent("bob")
    ada = world.seat("ada")
    first, second = world.send(bob, "ada", "1"), world.send(bob, "ada", "2")
    world.take(ada, limit=2)
    world.mail.settle(ada, (second.id,))
    world.agents.end_session(ada.session or "", "left")
    assert world.state("ada", first.id) == "queued"
    assert world.state("ada", second.id) == "settled"
    returned = world.mail.delivery("ada", first.id)
    assert returned.delivery_count == 1
    assert ada.session is not None
    assert ada.session in returned.reasons[0]
    assert world.agents.get("ada").session is None
    with pytest.raises(SessionEnded):
        world.agents.beat(ada.session)


def test_ending_a_session_leaves_what_an_attachment_has_in_hand(world: World) -> None:
    bob = world.agent("bob")
    ada = world.seat("ada")
    sent = world.send(bob, "ada")
    world.take(Actor("ada"))
    world.agents.end_session(ada.session or "", "left")
    assert world.state("ada", sent.id) == "leased"


def test_what_never_left_the_process_does_not_count_as_handed_out(world: World) -> None:
    bob = world.agent("bob")
    ada = world.seat("ada")
    seen, unseen = world.send(bob, "ada", "seen"), world.send(bob, "ada", "unseen")
    world.take(ada, limit=2)
    world.agents.end_session(ada.session or "", "left", unseen=(unseen.id,))
    assert world.mail.delivery("ada", seen.id).delivery_count == 1
    assert world.mail.delivery("ada", unseen.id).delivery_count == 0
    taken = world.mail.receive(Actor("ada"), limit=2).deliveries
    assert [(one.message.id, one.redelivered) for one in taken] == [(seen.id, True), (unseen.id, False)]


def test_ending_a_session_that_is_not_live_does_nothing(world: World) -> None:
    world.agents.end_session("s-nobody", "left")
    old = world.seat("ada")
    new = world.seat("ada", take_over=True)
    world.agents.end_session(old.session or "", "left")
    with pytest.raises(SessionSuperseded):
        world.agents.beat(old.session or "")
    world.agents.end_session(new.session or "", "left")
    before = world.last_seq()
    world.agents.end_session(new.session or "", "again")
    assert world.last_seq() == before


def test_releasing_a_name_ends_its_session(world: World) -> None:
    bob = world.agent("bob")
    ada = world.seat("ada")
    sent = world.send(bob, "ada")
    world.take(ada)
    released = world.agents.release_name("ada", "stuck")
    assert released is not None
    assert released.id == ada.session
    assert world.state("ada", sent.id) == "queued"
    with pytest.raises(SessionEnded):
        world.send(ada, "bob")
    (event,) = world.events("name_released")
    assert event.agent == "ada"
    assert event.detail == {"why": "stuck"}
    assert world.agents.release_name("ada", "again") is None
    assert len(world.events("name_released")) == 1


def test_releasing_a_name_whose_session_missed_its_beats(world: World) -> None:
    world.seat("ada")
    world.clock.advance(SESSION_TTL_MS)
    assert world.agents.release_name("ada", "stuck") is None


def test_releasing_a_name_that_is_not_registered(world: World) -> None:
    world.agent("ada")
    with pytest.raises(UnknownAgent) as caught:
        world.agents.release_name("adda", "x")
    assert "ada" in caught.value.hint


def test_last_seen_is_when_the_session_ended(world: World) -> None:
    ada = world.seat("ada")
    world.clock.advance(1234)
    world.agents.end_session(ada.session or "", "left")
    ended = world.store.now()
    world.clock.advance(1000)
    assert world.agents.get("ada").last_seen_at == ended


def test_the_latest_session_of_a_client_is_found_in_any_state(world: World) -> None:
    assert world.agents.find_client_session("c-1") is None
    first = world.seat("ada", client_session="c-1")
    world.clock.advance(10)
    world.agents.end_session(first.session or "", "left")
    second = world.seat("bob", client_session="c-1")
    world.seat("cy", client_session="c-2")
    found = world.agents.find_client_session("c-1")
    assert found is not None
    assert (found.id, found.agent, found.state) == (second.session, "bob", "live")
    world.agents.end_session(second.session or "", "left")
    found = world.agents.find_client_session("c-1")
    assert found is not None
    assert (found.id, found.state, found.ended_why) == (second.session, "ended", "left")


def test_sessions_without_a_client_session_are_not_found(world: World) -> None:
    world.seat("ada")
    assert world.agents.find_client_session("") is None


def test_a_session_learns_later_what_its_client_calls_it(world: World) -> None:
    ada = world.seat("ada")
    world.agents.identify(ada.session or "", "c-9")
    found = world.agents.find_client_session("c-9")
    assert found is not None
    assert (found.id, found.client_session) == (ada.session, "c-9")


def test_an_expired_session_is_live_again_once_its_successor_missed_its_beats_too(world: World) -> None:
    first = world.seat("ada")
    world.clock.advance(SESSION_TTL_MS)
    world.seat("ada")
    world.clock.advance(SESSION_TTL_MS)
    assert world.agents.get("ada").session is None  # nobody holds the name
    assert world.agents.beat(first.session or "").state == "live"
    assert [session.id for session in world.agents.sessions()] == [first.session]
