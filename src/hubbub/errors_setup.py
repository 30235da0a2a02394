"""The errors of setting up clients. What :mod:`hubbub.errors` says of all errors holds here."""

from __future__ import annotations

from hubbub.errors import EXIT_PERSON, HubbubError


class ConfigUnreadable(HubbubError):
    """A client's configuration can't be understood or is too large; it was not changed."""

    code = "CONFIG_UNREADABLE"
    exit_status = EXIT_PERSON
    default_hint = "Correct the file, or add by hand what is shown."


class ConfigDifferent(HubbubError):
    """A client's configuration has a hubbub entry that setup did not write; it was not changed."""

    code = "CONFIG_DIFFERENT"
    exit_status = EXIT_PERSON
    default_hint = "Keep it, or put this one in its place with --force; --undo brings the old one back."


class ConfigNotOurs(HubbubError):
    """A client's configuration is nothing that setup writes: read-only, another user's, no regular file."""

    code = "CONFIG_NOT_OURS"
    exit_status = EXIT_PERSON
    default_hint = "Make it a file that your user may write, or add by hand what is shown."


class SetupBusy(HubbubError):
    """Another hubbub setup is at work, or a client writes its configuration all the time."""

    code = "SETUP_BUSY"
    default_hint = "Try again in a moment."


class SetupRecordDamaged(HubbubError):
    """The record of what setup wrote can't be read; nothing was changed."""

    code = "SETUP_RECORD_DAMAGED"
    exit_status = EXIT_PERSON
    default_hint = "Move the file away; setup then knows nothing of what it wrote, and --undo does nothing."
