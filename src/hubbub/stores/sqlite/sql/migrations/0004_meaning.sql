-- The vectors that search by meaning looks through, and how far they have come.

-- takes counts how often a batch was handed out since vectors were last kept: a message that ends
-- every process that computes its vectors shows by it.
CREATE TABLE meaning_models (
    model INTEGER PRIMARY KEY,
    name  TEXT NOT NULL UNIQUE,
    takes INTEGER NOT NULL DEFAULT 0
) STRICT;

-- All messages up to mark are done: seq of the mail, post of the topics. done is how many have vectors.
CREATE TABLE meaning_progress (
    model  INTEGER NOT NULL REFERENCES meaning_models (model),
    source TEXT NOT NULL CHECK (source IN ('mail', 'topic')),
    mark   INTEGER NOT NULL DEFAULT 0,
    done   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (model, source)
) STRICT, WITHOUT ROWID;

-- Messages whose vectors could not be had, and why. Those with tries used up are passed over.
CREATE TABLE meaning_failures (
    model  INTEGER NOT NULL REFERENCES meaning_models (model),
    source TEXT NOT NULL CHECK (source IN ('mail', 'topic')),
    number INTEGER NOT NULL,
    tries  INTEGER NOT NULL,
    cause  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (model, source, number)
) STRICT, WITHOUT ROWID;

-- Many vectors in a row, because reading a row costs more than reading a vector. numbers says whose
-- they are, 8 bytes each, least byte first, 0 for none any more; bits are the signs of each vector's
-- numbers, by which a search makes its first choice of all.
CREATE TABLE meaning_blocks (
    block   INTEGER PRIMARY KEY,
    model   INTEGER NOT NULL REFERENCES meaning_models (model),
    source  TEXT NOT NULL CHECK (source IN ('mail', 'topic')),
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL CHECK (last >= first),
    count   INTEGER NOT NULL CHECK (count > 0),
    numbers BLOB NOT NULL CHECK (length(numbers) = 8 * count),
    bits    BLOB NOT NULL CHECK (length(bits) % count = 0)
) STRICT;

CREATE INDEX meaning_blocks_in_order ON meaning_blocks (source, first, last);

-- The same vectors in full: a signed byte for each number. In a table of their own, so that a search
-- reads only those that the first choice left.
CREATE TABLE meaning_vectors (
    block   INTEGER PRIMARY KEY REFERENCES meaning_blocks (block) ON DELETE CASCADE,
    vectors BLOB NOT NULL
) STRICT;
