"""Databases of Agent Bus MCP for the tests, in the form that its version 0.5 keeps on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import apsw

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE topics (
    topic_id TEXT PRIMARY KEY, name TEXT NOT NULL, created_at REAL NOT NULL, status TEXT NOT NULL,
    closed_at REAL NULL, close_reason TEXT NULL, metadata_json TEXT NULL);
CREATE TABLE topic_seq (topic_id TEXT PRIMARY KEY, next_seq INTEGER NOT NULL, updated_at REAL NOT NULL);
CREATE TABLE messages (
    message_id TEXT PRIMARY KEY, topic_id TEXT NOT NULL, seq INTEGER NOT NULL, sender TEXT NOT NULL,
    message_type TEXT NOT NULL, reply_to TEXT NULL, content_markdown TEXT NOT NULL,
    metadata_json TEXT NULL, client_message_id TEXT NULL, created_at REAL NOT NULL);
CREATE TABLE cursors (
    topic_id TEXT NOT NULL, agent_name TEXT NOT NULL, last_seq INTEGER NOT NULL, updated_at REAL NOT NULL,
    PRIMARY KEY (topic_id, agent_name));
CREATE TABLE agent_name_reservations (
    topic_id TEXT NOT NULL, agent_name TEXT NOT NULL, reclaim_token TEXT NOT NULL,
    created_at REAL NOT NULL, last_claimed_at REAL NOT NULL, PRIMARY KEY (topic_id, agent_name));
CREATE INDEX idx_topics_name_status_created_at ON topics (name, status, created_at);
CREATE UNIQUE INDEX idx_messages_topic_seq_unique ON messages (topic_id, seq);
CREATE INDEX idx_messages_topic_seq ON messages (topic_id, seq);
CREATE INDEX idx_messages_topic_reply_to ON messages (topic_id, reply_to);
CREATE UNIQUE INDEX idx_messages_topic_sender_client_id_unique
    ON messages (topic_id, sender, client_message_id) WHERE client_message_id IS NOT NULL;
CREATE VIRTUAL TABLE messages_fts USING fts5 (
    content_markdown, message_id UNINDEXED, topic_id UNINDEXED, tokenize='unicode61');
CREATE TRIGGER messages_fts_ai AFTER INSERT ON messages BEGIN
    INSERT INTO messages_fts (rowid, content_markdown, message_id, topic_id)
    VALUES (new.rowid, new.content_markdown, new.message_id, new.topic_id);
END;
CREATE TRIGGER messages_fts_ad AFTER DELETE ON messages BEGIN
    DELETE FROM messages_fts WHERE rowid = old.rowid;
END;
INSERT INTO meta VALUES ('schema_version', '6'), ('topics_version', '1'), ('fts_backfill_v1', '1');
"""


class AgentBusFile:
    """A file that is being filled; as there, it is in WAL mode."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = apsw.Connection(str(path))
        self.db.pragma("journal_mode", "wal")
        self.db.execute(SCHEMA)

    def topic(self, id_: str, name: Any, *, created: float = 1000.0, **fields: Any) -> str:
        """Add a topic; ``closed`` is when and ``reason`` why it was closed."""
        closed = fields.get("closed")
        values = (
            id_,
            name,
            created,
            "open" if closed is None else "closed",
            closed,
            fields.get("reason"),
            fields.get("metadata"),
        )
        self.db.execute("INSERT INTO topics VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        return id_

    def message(self, topic: str, seq: Any, body: Any = "hello", **fields: Any) -> str:
        """Add a message; its id follows from topic and number."""
        id_ = fields.get("id") or f"{topic}-{seq}"
        metadata = fields.get("metadata")
        if isinstance(metadata, dict):
            metadata = json.dumps(metadata)
        values = (
            id_,
            topic,
            seq,
            fields.get("sender", "Red Squirrel"),
            fields.get("kind", "message"),
            fields.get("reply_to"),
            body,
            metadata,
            fields.get("key"),
            fields.get("at", 1000.0),
        )
        self.db.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        return str(id_)

    def cursor(self, topic: str, agent: str, seq: int) -> None:
        """An agent has read up to ``seq``."""
        self.db.execute("INSERT INTO cursors VALUES (?, ?, ?, 1000.0)", (topic, agent, seq))

    def done(self) -> Path:
        """Close it; where it is."""
        self.db.close()
        return self.path
