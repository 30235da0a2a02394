"""What answers handed out, until the client has evidently had them.

An answer that hands something out is noted with how many bytes the client had written by then. A call
that begins behind that place was written by a client that had the answer: what it held is settled.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from hubbub.model_topics import Hand


class Taken(NamedTuple):
    """What an agent was handed: messages of its mail, ranges of topics, and a step of work."""

    mail: tuple[str, ...] = ()
    hands: tuple[Hand, ...] = ()
    claims: tuple[str, ...] = ()
    """Tokens of claims. No later call settles them: they only go back when the answer was not had."""

    def without(self, gone: Taken) -> Taken:
        """What is left when ``gone`` is done with."""
        mail = tuple(id_ for id_ in self.mail if id_ not in gone.mail)
        hands = tuple(hand for hand in self.hands if hand not in gone.hands)
        return Taken(mail, hands, tuple(token for token in self.claims if token not in gone.claims))

    def together(self, more: Taken) -> Taken:
        """Both."""
        return Taken(self.mail + more.mail, self.hands + more.hands, self.claims + more.claims)


NOTHING = Taken()


class _Out(NamedTuple):
    horizon: int
    """How many bytes the client had written when the answer went out."""
    taken: Taken
    implicit: bool
    whole: bool = False
    """All of the answer is out."""


class Pending:
    """What was handed out to one member and no later call has touched. For several threads at once;
    the reader's is one of them, so nothing here waits for the bus."""

    def __init__(self) -> None:
        self._outs: dict[Any, _Out] = {}
        self._lock = threading.Lock()

    def note(self, request_id: Any, horizon: int, taken: Taken, *, implicit: bool) -> None:
        """The answer to a request, which is about to be written, hands this out; ``implicit``: it is
        settled once the client has evidently had it."""
        if taken != NOTHING:
            with self._lock:
                self._outs[request_id] = _Out(horizon, taken, implicit)

    def written(self, request_id: Any) -> None:
        """All of the answer to this request is out."""
        with self._lock:
            out = self._outs.get(request_id)
            if out is not None:
                self._outs[request_id] = out._replace(whole=True)

    def withdraw(self, request_id: Any) -> Taken:
        """The answer to this request is not wanted: what it handed out is no longer noted. Once the whole of
        it was out nothing changes: one client cancels every call after it has used the answer."""
        with self._lock:
            out = self._outs.get(request_id)
            if out is None or out.whole:
                return NOTHING
            del self._outs[request_id]
            return out.taken

    def due(self, offset: int, own: Taken) -> Taken:
        """What was handed out in answers that the client evidently had before the call that begins at
        ``offset``, but for what is the call's ``own`` to settle."""
        due = NOTHING
        with self._lock:
            for request_id, out in list(self._outs.items()):
                kept = out.taken._replace(claims=())
                if out.horizon > offset:
                    continue
                if out.implicit and kept != NOTHING:
                    self._outs[request_id] = out._replace(taken=kept)
                    due = due.together(kept.without(own))
                else:
                    del self._outs[request_id]  # too late to cancel that answer
        return due

    def forget(self, gone: Taken, offset: int | None = None) -> None:
        """This is settled, with ``offset`` only as answers held it that were due to a call that begins
        there: the same may have been handed out anew meanwhile."""
        with self._lock:
            for request_id, out in list(self._outs.items()):
                if offset is not None and out.horizon > offset:
                    continue
                rest = out.taken.without(gone)
                if rest == NOTHING:
                    del self._outs[request_id]
                elif rest != out.taken:
                    self._outs[request_id] = out._replace(taken=rest)
