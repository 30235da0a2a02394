"""The tokens of claims that a session keeps, so that a model need not pass them."""

from __future__ import annotations

import threading
from collections.abc import Iterable

KEPT_MAX = 1000
"""How many tokens are kept, the latest: those of claims that are over let a call be repeated."""


class KeptClaims:
    """The claims that one member was given by this process. For several threads at once."""

    def __init__(self) -> None:
        self._steps: dict[str, str] = {}
        """The step of each token."""
        self._open: set[str] = set()
        """Claims that no call of this session has ended."""
        self._told: set[str] = set()
        """Steps whose loss the member was told, and that it claimed or looked at no more."""
        self._forgotten: dict[str, None] = {}
        """The latest tokens that mean nothing any more."""
        self._lock = threading.Lock()

    def keep(self, token: str, step: str) -> None:
        """The member has this claim on the step of that id. One that was ended or forgotten stays so: who
        looked at the claims may have done so before."""
        with self._lock:
            if token in self._forgotten:
                return
            self._told.discard(step)
            if token not in self._steps:
                self._steps[token] = step
                self._open.add(token)
            for old in list(self._steps)[: max(0, len(self._steps) - KEPT_MAX)]:
                del self._steps[old]
                self._open.discard(old)

    def ended(self, token: str) -> None:
        """A call of this session ended the claim; the token still answers a repeated call."""
        with self._lock:
            self._open.discard(token)

    def told(self, token: str) -> None:
        """The claim was lost, and the member was told so: forget it."""
        with self._lock:
            step = self._steps.get(token)
            if step is not None:
                self._told.add(step)
        self.forget(token)

    def is_others(self, token: str, step: str) -> bool:
        """A claim that this process did not make, on a step that the member was told it lost."""
        with self._lock:
            return step in self._told and token not in self._steps

    def was_told(self, step: str) -> bool:
        """Whether the member was told that it lost that step, and did not claim or look at it since."""
        with self._lock:
            return step in self._told

    def forget(self, token: str) -> None:
        """The claim was lost, or the member never had it."""
        with self._lock:
            self._steps.pop(token, None)
            self._open.discard(token)
            self._forgotten[token] = None
            if len(self._forgotten) > KEPT_MAX:
                del self._forgotten[next(iter(self._forgotten))]

    def step_of(self, token: str) -> str | None:
        """The id of the step that a kept token is a claim on."""
        return self._steps.get(token)

    def token_of(self, step: str) -> str | None:
        """The latest token for the step of that id."""
        with self._lock:
            return next((token for token, each in reversed(self._steps.items()) if each == step), None)

    def open_ones(self) -> list[tuple[str, str]]:
        """The claims that are not ended: the token and the id of the step of each."""
        with self._lock:
            return [(token, step) for token, step in self._steps.items() if token in self._open]

    def last_ended(self) -> str | None:
        """The id of the step of the latest claim that a call of this session ended."""
        with self._lock:
            ended = (step for token, step in reversed(self._steps.items()) if token not in self._open)
            return next(ended, None)

    def lost(self, live: Iterable[str]) -> str | None:
        """The token of a claim that ended without the member, if ``live`` are those that did not."""
        with self._lock:
            gone = self._open - set(live)
            return next((token for token in self._steps if token in gone), None)
