"""What the tools of work keep and cut, apart from any server."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hubbub.faces.mcp.kept_claims import KEPT_MAX, KeptClaims
from hubbub.faces.mcp.long_texts import LIST_SHARE, shares_of, shorten
from hubbub.faces.mcp.pending import NOTHING, Pending, Taken
from hubbub.model_topics import Hand


def test_a_claim_that_was_ended_stays_ended_when_an_older_look_finds_it() -> None:
    kept = KeptClaims()
    kept.keep("c1", "s1")
    kept.ended("c1")
    kept.keep("c1", "s1")  # by a call that had looked before the other one ended it
    assert kept.open_ones() == []
    assert kept.lost([]) is None
    assert (kept.token_of("s1"), kept.last_ended()) == ("c1", "s1")


def test_a_claim_that_was_given_back_is_not_found_again_by_an_older_look() -> None:
    kept = KeptClaims()
    kept.keep("c1", "s1")
    kept.forget("c1")
    kept.keep("c1", "s1")  # by a thread that had looked before it was given back
    kept.keep("c2", "s1")
    assert kept.open_ones() == [("c2", "s1")]
    assert kept.lost(["c2"]) is None
    for number in range(KEPT_MAX + 3):
        kept.forget(f"f{number}")
    assert len(kept._forgotten) == KEPT_MAX


def test_the_latest_claim_on_a_step_counts_and_what_was_lost_is_named_once() -> None:
    kept = KeptClaims()
    kept.keep("c1", "s1")
    kept.keep("c2", "s1")
    kept.keep("c3", "s2")
    assert kept.token_of("s1") == "c2"
    assert kept.lost(iter(["c2", "c3"])) == "c1"
    kept.forget("c1")
    assert kept.lost(iter(["c2", "c3"])) is None
    kept.forget("c2")
    assert kept.token_of("s1") is None


def test_only_so_many_tokens_are_kept() -> None:
    kept = KeptClaims()
    for number in range(KEPT_MAX + 3):
        kept.keep(f"c{number}", f"s{number}")
    assert len(kept.open_ones()) == KEPT_MAX
    assert (kept.token_of("s2"), kept.token_of("s3")) == (None, "c3")


def test_a_claim_is_settled_by_no_call_and_goes_back_only_until_the_next_one() -> None:
    pending = Pending()
    pending.note(1, 100, Taken(claims=("c1",)), implicit=True)
    assert pending.due(99, NOTHING) == NOTHING
    assert pending.withdraw(1) == Taken(claims=("c1",))
    pending.note(2, 100, Taken(mail=("m1",), claims=("c2",)), implicit=True)
    assert pending.due(100, NOTHING) == Taken(mail=("m1",))
    assert pending.withdraw(2) == Taken(mail=("m1",))


def test_what_was_handed_out_anew_is_not_forgotten_with_what_was_settled_before() -> None:
    """A call that was cancelled late forgets what it had settled; the same range went out again by then."""
    pending, range_ = Pending(), Taken(hands=(Hand("t1", 1, 1),))
    pending.note(1, 10, range_, implicit=True)
    due = pending.due(20, NOTHING)
    assert due == range_
    pending.note(2, 30, range_, implicit=True)
    pending.forget(due, 20)
    assert pending.due(29, NOTHING) == NOTHING
    assert pending.due(30, NOTHING) == range_
    pending.forget(range_)
    assert pending.due(30, NOTHING) == NOTHING


@given(st.lists(st.integers(0, 200_000), max_size=40), st.integers(0, 50_000))
def test_shares_are_fair(lengths: list[int], total: int) -> None:
    shares = shares_of(lengths, total)
    assert sum(shares) <= total
    assert all(share <= length for share, length in zip(shares, lengths, strict=True))
    cut = [share for share, length in zip(shares, lengths, strict=True) if share < length]
    if cut:
        # What is cut gets as much as anything that is whole, and nothing is left over.
        assert max(cut) == max(shares)
        assert sum(shares) == total
        assert max(cut) - min(cut) <= 1
    else:
        assert shares == lengths


def test_a_long_list_is_cut_and_counted() -> None:
    short, long = ["a.py"] * 3, [f"src/{number:06}.py" for number in range(5_000)]
    holder: dict[str, Any] = {"short": short, "long": long, "wide": ["x" * (LIST_SHARE + 1)]}
    shorten(holder, "short", "long", "wide", "absent")
    assert holder["short"] == short
    assert holder["long"] == long[: len(holder["long"])]
    assert LIST_SHARE - 20 < sum(map(len, holder["long"])) <= LIST_SHARE
    assert (holder["long_total"], "short_total" in holder, len(holder["wide"])) == (5_000, False, 1)
