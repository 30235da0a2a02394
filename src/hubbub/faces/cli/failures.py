"""What can go wrong on the command line alone."""

from __future__ import annotations

from hubbub.errors import EXIT_PERSON, HubbubError, InvalidArgument


class UsageError(InvalidArgument):
    """The command line can't be understood."""

    code = "USAGE"


class OutputFailed(HubbubError):
    """The answer could not be written to standard output."""

    code = "OUTPUT_FAILED"


class ConfirmationNeeded(HubbubError):
    """Something that can't be undone was asked for where no person can be asked back."""

    code = "CONFIRMATION_NEEDED"
    exit_status = EXIT_PERSON
    default_hint = "If that is meant, repeat the command with --yes."


class InternalError(HubbubError):
    """A fault in Hubbub itself."""

    code = "INTERNAL"
    default_hint = "This is a fault in Hubbub: please report it with what HUBBUB_DEBUG=1 shows."


class Interrupted(BaseException):
    """A signal asked this process to end. Not an Exception: nothing must swallow it."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal
