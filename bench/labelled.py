"""How good search is: on messages and queries of which it is known what answers what."""

from __future__ import annotations

import math
import os
from typing import NamedTuple

from hubbub.bus import Bus
from hubbub.model import Actor

TOPIC = "labelled"
DEPTH = 10
"""How many hits are looked at."""


class Query(NamedTuple):
    """What somebody looks for."""

    kind: str
    """``e``: in the messages' own words; ``p``: a paraphrase without any of them."""
    text: str
    answers: frozenset[int]
    """The numbers of the messages that answer it."""


class Quality(NamedTuple):
    """The mean over some queries, from 0 to 1."""

    ndcg: float
    """Normalised discounted cumulative gain at 10: 1 when all answers come first."""
    recall: float
    """Which part of the answers is among the first 10."""
    mrr: float
    """One through the place of the first answer, 0 when it is not among the first 10."""


def labelled() -> tuple[dict[int, str], list[Query]]:
    """The messages by their numbers, and the queries."""
    messages: dict[int, str] = {}
    queries: list[Query] = []
    with open(os.path.join(os.path.dirname(__file__), "labelled.txt"), encoding="utf-8") as file:
        for line in file.read().splitlines():
            if line.startswith("#"):
                continue
            kind, _, rest = line.partition(" | ")
            if kind.startswith("m "):
                messages[int(kind[2:])] = rest
            else:
                text, _, numbers = rest.rpartition(" | ")
                queries.append(Query(kind, text, frozenset(map(int, numbers.split()))))
    return messages, queries


def post_all(bus: Bus, messages: dict[int, str]) -> None:
    """Post the messages to a topic of a new bus: message N gets the number N."""
    bus.agents.join("writer")
    writer = Actor("writer")
    bus.topics.create(writer, TOPIC)
    texts = [messages[number] for number in range(1, len(messages) + 1)]
    for start in range(0, len(texts), 50):
        outbox = tuple(bus.topics.post(text) for text in texts[start : start + 50])
        bus.topics.sync(writer, TOPIC, outbox)


def quality(bus: Bus, queries: list[Query], mode: str) -> Quality:
    """What a mode of search makes of the queries."""
    gains, recalls, ranks = 0.0, 0.0, 0.0
    for query in queries:
        results = bus.search.search(query.text, topic=TOPIC, limit=DEPTH, mode=mode)
        places = [place for place, one in enumerate(results.hits, 1) if one.hit.seq in query.answers]
        ideal = sum(1 / math.log2(place + 1) for place in range(1, min(len(query.answers), DEPTH) + 1))
        gains += sum(1 / math.log2(place + 1) for place in places) / ideal
        recalls += len(places) / len(query.answers)
        ranks += 1 / places[0] if places else 0.0
    return Quality(gains / len(queries), recalls / len(queries), ranks / len(queries))
