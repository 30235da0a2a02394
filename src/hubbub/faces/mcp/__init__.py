"""The Model Context Protocol: one tool registry, served here over standard input and output.

The protocol has two eras: the ``initialize`` handshake (up to 2025-11-25) and requests that
each carry their own envelope (2026-07-28). This server speaks both.
"""
