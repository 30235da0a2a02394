-- The index of words. Text is cut into words by hubbub.words, which joins them by spaces: for the
-- tokenizer only white space separates. Only the index is kept, not the text a second time. marks
-- holds what a search can be limited to (sender, readers, topic, kind, thread), as words that no text
-- can contain, so that a limit is an intersection of lists and not a scan.

CREATE VIRTUAL TABLE mail_words USING fts5 (
    words, marks, content = '', contentless_delete = 1,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* P* S* C*'"
);

CREATE VIRTUAL TABLE post_words USING fts5 (
    words, marks, content = '', contentless_delete = 1,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* P* S* C*'"
);

-- How far each index has come: it holds all messages up to number upto. texts and atoms are how many
-- messages and words went in, for the mean length.
CREATE TABLE indexed (
    source TEXT PRIMARY KEY CHECK (source IN ('mail', 'topic')),
    upto   INTEGER NOT NULL DEFAULT 0 CHECK (upto >= 0),
    texts  INTEGER NOT NULL DEFAULT 0,
    atoms  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

INSERT INTO indexed (source) VALUES ('mail'), ('topic');

-- Between which times the messages of a block of 1,024 numbers were written, so that a search in a
-- span of time looks at the blocks in question only.
CREATE TABLE spans (
    source   TEXT NOT NULL,
    block    INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL CHECK (last_at >= first_at),
    PRIMARY KEY (source, block)
) STRICT, WITHOUT ROWID;

-- What is gone is not found.
CREATE TRIGGER messages_purged_leave_the_index AFTER UPDATE OF purged_at ON messages
WHEN new.purged_at IS NOT NULL
BEGIN
    DELETE FROM mail_words WHERE rowid = new.seq;
END;

CREATE TRIGGER posts_erased_leave_the_index AFTER DELETE ON posts
BEGIN
    DELETE FROM post_words WHERE rowid = old.post;
END;
