"""The benchmark: ``python -m bench``.

It measures what Hubbub promises to be quick at, and beside each figure the limit that this
machine sets in the same run. A row is a function registered by :func:`bench.rows.row`.
"""
