"""Names: registering, updating, taking off the bus."""

from __future__ import annotations

import pytest

from hubbub.errors import UnknownAgent, UnknownRecipient
from hubbub.model import INBOX_LIMIT, MAX_MESSAGE_BYTES, Actor, NewSession, Profile
from tests.contract.world import World


def test_a_new_agent_has_the_defaults(world: World) -> None:
    made = world.agents.register(Profile("ada"))
    assert made.created
    assert made.superseded is None
    agent = made.agent
    assert agent == world.agents.get("ada")
    assert (agent.name, agent.role, agent.description) == ("ada", "both", "")
    assert (agent.inbox_limit, agent.max_message_bytes) == (INBOX_LIMIT, MAX_MESSAGE_BYTES)
    assert (agent.queued, agent.leased, agent.dead) == (0, 0, 0)
    assert agent.session is None
    assert agent.last_seen_at is None
    assert agent.registered_at == world.store.now()


def test_registering_again_keeps_what_is_not_given(world: World) -> None:
    world.agents.register(Profile("ada", "consumer", "counts", 7, 900))
    began = world.store.now()
    world.clock.advance(5)
    again = world.agents.register(Profile("ada"))
    assert not again.created
    kept = again.agent
    assert (kept.role, kept.description, kept.inbox_limit, kept.max_message_bytes) == (
        "consumer",
        "counts",
        7,
        900,
    )
    assert kept.registered_at == began


@pytest.mark.parametrize(
    ("field", "value"),
    [("role", "publisher"), ("description", "sums"), ("inbox_limit", 3), ("max_message_bytes", 10)],
)
def test_registering_again_changes_only_what_is_given(world: World, field: str, value: str | int) -> None:
    before = world.agents.register(Profile("ada", "consumer", "counts", 7, 900)).agent
    after = world.agents.register(Profile("ada", **{field: value})).agent  # type: ignore[arg-type]
    assert after == before._replace(**{field: value})  # type: ignore[arg-type]


def test_a_description_can_be_emptied(world: World) -> None:
    world.agent("ada", description="counts")
    assert world.agents.register(Profile("ada", description="")).agent.description == ""


def test_all_lists_registered_agents_by_name(world: World) -> None:
    world.agents_named("cy", "ada", "bob")
    world.agents.unregister("bob")
    assert [agent.name for agent in world.agents.all()] == ["ada", "cy"]
    assert world.agents.all()[0] == world.agents.get("ada")


def test_counts_follow_the_inbox(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    for number in range(3):
        world.send(ada, "bob", str(number))
    world.take(bob)
    world.dead_letter("bob", ada)
    found = world.agents.get("bob")
    assert (found.queued, found.leased, found.dead) == (2, 1, 1)


def test_counts_show_what_fell_due(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.send(ada, "bob", ttl_ms=1000)
    world.send(ada, "bob", priority="urgent")
    world.take(bob, lease_ms=1000)
    world.clock.advance(1000)
    for found in (world.agents.get("bob"), world.agents.all()[1]):
        assert (found.queued, found.leased, found.dead) == (1, 0, 1)


def test_an_unknown_agent_is_answered_with_the_nearest_names(world: World) -> None:
    world.agents_named("builder", "tester")
    with pytest.raises(UnknownAgent) as caught:
        world.agents.get("bilder")
    assert "builder" in caught.value.hint
    assert "tester" not in caught.value.hint


def test_unregistering_keeps_the_mail_for_when_the_name_comes_back(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob")
    taken = world.agents.unregister("bob")
    assert (taken.name, taken.queued) == ("bob", 1)
    with pytest.raises(UnknownAgent):
        world.agents.get("bob")
    with pytest.raises(UnknownRecipient):
        world.send(ada, "bob")
    back = world.agents.register(Profile("bob"))
    assert back.created
    assert back.agent.queued == 1
    assert world.take(bob) == [sent.id]


def test_unregistering_returns_what_the_session_had_in_hand(world: World) -> None:
    ada = world.agent("ada")
    bob = world.seat("bob")
    sent = world.send(ada, "bob")
    world.take(bob)
    world.agents.unregister("bob")
    world.agent("bob")
    again = world.take_one(Actor("bob"))
    assert again.message.id == sent.id
    assert again.redelivered


def test_unregistering_can_delete_the_mail(world: World) -> None:
    ada, bob, _ = world.agents_named("ada", "bob", "cy")
    only, shared = world.send(ada, "bob", "secret"), world.send(ada, ("bob", "cy"), "shared")
    world.agents.unregister("bob", delete_mail=True)
    world.agent("bob")
    assert world.take(bob, limit=10) == []
    assert world.mail.message(only.id).body == ""
    assert world.mail.message(shared.id).body == "shared"
    assert [event.message for event in world.events("message_purged", agent="bob")] == [only.id, shared.id]
    assert [place.state for place in world.mail.whereabouts(shared.id).recipients] == ["purged", "queued"]


def test_unregistering_what_is_not_registered(world: World) -> None:
    world.agent("builder")
    with pytest.raises(UnknownAgent) as caught:
        world.agents.unregister("bilder")
    assert "builder" in caught.value.hint
    world.agents.unregister("builder")
    with pytest.raises(UnknownAgent):
        world.agents.unregister("builder")


def _made_up(world: World, name: str, session: str) -> Actor:
    world.agents.register(Profile(name, ephemeral=True), NewSession(session))
    return Actor(name, session)


def test_an_unused_made_up_name_is_given_back(world: World) -> None:
    _made_up(world, "claude-7", "s-a")
    world.agents.end_session("s-a", "left")
    with pytest.raises(UnknownAgent):
        world.agents.get("claude-7")
    assert len(world.events("agent_unregistered", agent="claude-7")) == 1


def test_a_made_up_name_that_sent_is_kept(world: World) -> None:
    world.agent("ada")
    world.send(_made_up(world, "claude-7", "s-a"), "ada")
    world.agents.end_session("s-a", "left")
    assert world.agents.get("claude-7").session is None


def test_a_made_up_name_that_was_written_to_is_kept(world: World) -> None:
    ada = world.agent("ada")
    _made_up(world, "claude-7", "s-a")
    world.send(ada, "claude-7")
    world.agents.end_session("s-a", "left")
    assert world.agents.get("claude-7").queued == 1


def test_a_made_up_name_registered_on_purpose_is_kept(world: World) -> None:
    _made_up(world, "claude-7", "s-a")
    world.agent("claude-7")
    world.agents.end_session("s-a", "left")
    assert world.agents.get("claude-7").name == "claude-7"


def test_a_given_name_is_not_made_ephemeral_later(world: World) -> None:
    world.agent("ada")
    _made_up(world, "ada", "s-a")
    world.agents.end_session("s-a", "left")
    assert world.agents.get("ada").name == "ada"
