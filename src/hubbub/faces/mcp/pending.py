"""What answers handed out, until the client has evidently had them.

An answer that hands something out is noted with how many bytes the client had written by then. A call
that begins behind that place was written by a client that had the answer: what it held is settled.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from hubbub.model_topics import Hand


class Taken(NamedTuple):
    """What an agent was handed: messages of its mail, and ranges of topics."""

    mail: tuple[str, ...] = ()
    hands: tuple[Hand, ...] = ()

    def without(self, gone: Taken) -> Taken:
        """What is left when ``gone`` is done with."""
        mail = tuple(id_ for id_ in self.mail if id_ not in gone.mail)
        return Taken(mail, tuple(hand for hand in self.hands if hand not in gone.hands))

    def together(self, more: Taken) -> Taken:
        """Both."""
        return Taken(self.mail + more.mail, self.hands + more.hands)


NOTHING = Taken()


class _Out(NamedTuple):
    horizon: int
    """How many bytes the client had written when the answer went out."""
    taken: Taken
    implicit: bool


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

    def withdraw(self, request_id: Any) -> Taken:
        """The answer to this request was not had: what it handed out is no longer noted."""
        with self._lock:
            out = self._outs.pop(request_id, None)
        return NOTHING if out is None else out.taken

    def due(self, offset: int, own: Taken) -> Taken:
        """What was handed out in answers that the client evidently had before the call that begins at
        ``offset``, but for what is the call's ``own`` to settle."""
        due = NOTHING
        with self._lock:
            for request_id, out in list(self._outs.items()):
                if out.horizon <= offset and out.implicit:
                    due = due.together(out.taken.without(own))
                elif out.horizon <= offset:
                    del self._outs[request_id]  # too late to cancel that answer
        return due

    def forget(self, gone: Taken) -> None:
        """This is settled."""
        with self._lock:
            for request_id, out in list(self._outs.items()):
                rest = out.taken.without(gone)
                if rest == NOTHING:
                    del self._outs[request_id]
                elif rest != out.taken:
                    self._outs[request_id] = out._replace(taken=rest)
