"""Hooks: what a client's hooks are told by ``hubbub hook CLIENT``.

A module per client says what it reads and writes; :mod:`hubbub.wake.hooks.core` decides what to say.
All of it is imported at every tool call of every agent: nothing here imports what it does not need.
"""
