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
from contextlib import suppress
from typing import Any

from hubbub.errors import HubbubError, MeaningUnavailable, all_errors
from hubbub.model_search import Found, Hit, Indexed, Where
from hubbub.stores.contract import Store

PATIENCE = 30.0
"""Seconds that a few new messages wait for more, before a process is started for them."""

MANY = 64
"""So many are worth it at once."""

NOTHING_MOVES = 90.0
"""Seconds without progress after which any process begins, not only the one that keeps house."""

AFTER_FAILURE = 300.0
"""Seconds until the next try after a child that failed."""

ANSWER_SECONDS = 60.0
"""How long an answer may take: far beyond what a search over a million vectors needs."""

END_SECONDS = 3.0
"""How long a child may take to end once its input did: it keeps what it has and gives up its lease."""


class Apart:
    """The children of one process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._url: str | None = None
        self._indexer: subprocess.Popen[bytes] | None = None
        self._answerer: subprocess.Popen[bytes] | None = None
        self._asking = threading.Lock()
        self._seen: tuple[int, float] | None = None
        self._not_before = 0.0
        self._closed = False

    # --- computing vectors ---------------------------------------------------------------------

    def tend(self, keeps_house: bool, indexed: Indexed, now: float) -> None:
        """Start the child that computes vectors, if it is time to."""
        if self._indexer is not None:
            if self._indexer.poll() is None:
                return
            if self._indexer.returncode:
                self._not_before = now + AFTER_FAILURE
            _end(self._indexer)
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
        with self._asking:
            answer = self._ask(request.encode() + b"\n") or self._ask(request.encode() + b"\n")
        if answer is None:
            raise MeaningUnavailable(
                "The process that searches by meaning gave no answer.", hint="Try again, or search by words."
            )
        if "error" in answer:
            raise _error(answer["error"])
        read = (Hit(*values) for values in answer["hits"])
        hits = tuple(hit._replace(recipients=tuple(hit.recipients)) for hit in read)
        return Found(hits, len(hits), False, answer["behind"])

    def _ask(self, request: bytes) -> dict[str, Any] | None:
        """One question; None when the child is gone, as it is after some rest."""
        child = self._answerer
        if child is None or child.poll() is not None:
            _end(child)
            child = self._answerer = self._start("answer")
        assert child.stdin is not None
        assert child.stdout is not None
        timer = threading.Timer(ANSWER_SECONDS, child.kill)
        timer.daemon = True
        timer.start()
        try:
            child.stdin.write(request)
            child.stdin.flush()
            line = child.stdout.readline()
            answer: dict[str, Any] | None = json.loads(line) if line else None
        except (OSError, ValueError):
            answer = None
        finally:
            timer.cancel()
        if answer is None:
            _end(child)
            self._answerer = None
        return answer

    # --- children ----------------------------------------------------------------------------

    def _start(self, task: str) -> subprocess.Popen[bytes]:
        """A child whose standard input ends when this process does."""
        self._url = self._url or self._store.info().url
        # More than one thread would take the cores that the agents' own work needs.
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM")}
        return subprocess.Popen(
            # -P: a server runs in the folder of a project, and what lies there is not to be imported.
            [sys.executable, "-P", "-m", "hubbub.bus.meaning_child", task, self._url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | threads,
            start_new_session=True,  # a Ctrl+C is for this process, which then ends its children
        )

    def close(self) -> None:
        """End the children."""
        self._closed = True
        for child in (self._indexer, self._answerer):
            _end(child)
        self._indexer = self._answerer = None


def _end(child: subprocess.Popen[bytes] | None) -> None:
    """End a child, and leave nothing of it behind."""
    if child is None:
        return
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    try:
        child.wait(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()  # what it had not kept is given out again
        child.wait()


def _error(shown: dict[str, Any]) -> HubbubError:
    """The error that a child told of."""
    known = {kind.code: kind for kind in all_errors()}
    kind = known.get(shown.get("code", ""), HubbubError)
    return kind(str(shown.get("message")), hint=str(shown.get("hint", "")))
