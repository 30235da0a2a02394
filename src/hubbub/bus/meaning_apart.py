"""Search by meaning for a process that stays small: its children load the model, not itself.

One child computes the vectors that are missing and ends. Another answers searches, one at a time, and
ends when none came for a while. Both end when the process that started them does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any, NamedTuple

from hubbub.errors import HubbubError, MeaningUnavailable, all_errors
from hubbub.model_search import Found, Hit, Indexed, Where
from hubbub.names import new_token
from hubbub.stores.contract import Store

PATIENCE = 30.0
"""Seconds that a few new messages wait for more, before a process is started for them."""

MANY = 64
"""So many are worth it at once."""

NOTHING_MOVES = 90.0
"""Seconds without progress after which any process begins, not only the one that keeps house."""

AFTER_FAILURE = 300.0
"""Seconds until the next try after a child that failed."""

ANSWER_SECONDS = 10.0
"""How long a search waits for its answer, other searches before it and a child that begins included: several
times what one over a million vectors takes, and well within the minute after which clients give up."""

END_SECONDS = 3.0
"""How long a child may take to end once its input did: it keeps what it has and gives up its lease."""


class _Child(NamedTuple):
    """A process, and the name that its work is leased to."""

    process: subprocess.Popen[bytes]
    holder: str


class Apart:
    """The children of one process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._url: str | None = None
        self._indexer: _Child | None = None
        self._answerer: _Child | None = None
        self._asking = threading.Lock()
        self._seen: tuple[int, float] | None = None
        self._not_before = 0.0
        self._closed = False

    # --- computing vectors ---------------------------------------------------------------------

    def tend(self, keeps_house: bool, indexed: Indexed, now: float) -> None:
        """Start the child that computes vectors, if it is time to."""
        if self._indexer is not None:
            if self._indexer.process.poll() is None:
                return
            if self._indexer.process.returncode:
                self._not_before = now + AFTER_FAILURE
            self._end(self._indexer)
            self._indexer = self._seen = None
        if not indexed.behind:
            self._seen = None
            return
        if self._seen is None or self._seen[0] != indexed.done:
            self._seen = (indexed.done, now)
        waited = now - self._seen[1]
        due = indexed.behind >= MANY or waited >= PATIENCE if keeps_house else waited >= NOTHING_MOVES
        if due and now >= self._not_before and not self._closed:
            self._indexer = self._start("index")

    # --- searching ---------------------------------------------------------------------------

    def find(self, query: str, reader: str | None, where: Where, limit: int) -> Found:
        """Have a child search.

        Raises:
            HubbubError: what the search raised there, or MeaningUnavailable when there is no answer.
        """
        request = json.dumps({"query": query, "reader": reader, "where": where, "limit": limit})
        deadline = time.monotonic() + ANSWER_SECONDS
        answer = None
        if self._asking.acquire(timeout=ANSWER_SECONDS):
            try:
                # The second time is for a child that has just ended, as it does after some rest.
                for _ in range(2):
                    if answer is None and time.monotonic() < deadline:
                        answer = self._ask(request.encode() + b"\n", deadline)
            finally:
                self._asking.release()
        if answer is None:
            raise MeaningUnavailable(
                "The process that searches by meaning gave no answer.", hint="Try again, or search by words."
            )
        if "error" in answer:
            raise _error(answer["error"])
        read = (Hit(*values) for values in answer["hits"])
        hits = tuple(hit._replace(recipients=tuple(hit.recipients)) for hit in read)
        return Found(hits, len(hits), False, answer["behind"])

    def _ask(self, request: bytes, deadline: float) -> dict[str, Any] | None:
        """One question; None when the child is gone, or has no answer in time."""
        child = self._answerer
        if child is None or child.process.poll() is not None:
            self._end(child)
            child = self._answerer = self._start("answer")
        process = child.process
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(max(0.0, deadline - time.monotonic()), process.kill)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(request)
            process.stdin.flush()
            line = process.stdout.readline()
            answer: dict[str, Any] | None = json.loads(line) if line else None
        except (OSError, ValueError):
            answer = None
        finally:
            timer.cancel()
        if answer is None:
            self._end(child, ours=time.monotonic() >= deadline)
            self._answerer = None
        return answer

    # --- children ----------------------------------------------------------------------------

    def _start(self, task: str) -> _Child:
        """A child whose standard input ends when this process does."""
        self._url = self._url or self._store.info().url
        # More than one thread would take the cores that the agents' own work needs.
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM")}
        holder = new_token()
        process = subprocess.Popen(
            # -P: a server runs in the folder of a project, and what lies there is not to be imported.
            [sys.executable, "-P", "-m", "hubbub.bus.meaning_child", task, self._url, holder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | threads,
            start_new_session=True,  # a Ctrl+C is for this process, which then ends its children
        )
        return _Child(process, holder)

    def _end(self, child: _Child | None, *, ours: bool = False) -> None:
        """End a child, and leave nothing of it behind. ``ours``: it was this process that killed it."""
        if child is None or (not _end(child.process) and not ours):
            return
        # What it had not kept is given out again at once, and it is no message's fault.
        with suppress(HubbubError):
            self._store.search.release_meaning(child.holder)

    def close(self) -> None:
        """End the children."""
        self._closed = True
        for child in (self._indexer, self._answerer):
            self._end(child)
        self._indexer = self._answerer = None


def _end(process: subprocess.Popen[bytes]) -> bool:
    """End a process; whether it had to be killed."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    try:
        process.wait(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def _error(shown: dict[str, Any]) -> HubbubError:
    """The error that a child told of."""
    known = {kind.code: kind for kind in all_errors()}
    kind = known.get(shown.get("code", ""), HubbubError)
    return kind(str(shown.get("message")), hint=str(shown.get("hint", "")))
