"""Every error that Hubbub raises: typed, with a stable code and the next step.

A caller may rely on :attr:`HubbubError.code`; the wording of a message may change. The exit
status is what the command line ends with; every face shows the same code, message and hint.
"""

from __future__ import annotations

from typing import Any, ClassVar

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_FOUND = 3
EXIT_NOTHING = 4
EXIT_CONTEXT = 5
EXIT_PERSON = 6


class HubbubError(Exception):
    """Something that Hubbub refuses or can't do."""

    code: ClassVar[str] = "FAILED"
    exit_status: ClassVar[int] = EXIT_FAILED
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint
        self.details = details

    def as_dict(self) -> dict[str, Any]:
        """The error as every face shows it: ``code``, ``message``, ``hint`` and any details."""
        shown: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.hint:
            shown["hint"] = self.hint
        if self.details:
            shown["details"] = self.details
        return shown


# --- what was asked for can't be meant -------------------------------------------------------


class InvalidArgument(HubbubError):
    """An argument has the wrong type, is out of range, or is not one of the known words."""

    code = "INVALID_ARGUMENT"
    exit_status = EXIT_USAGE


class InvalidName(InvalidArgument):
    """An agent's name breaks the rule for names."""

    code = "INVALID_NAME"
    default_hint = "A name is 1-64 of a-z, 0-9, - and _, and starts with a letter or a digit."


class InvalidBusUrl(InvalidArgument):
    """A bus URL can't be understood, or names a kind of store that this version lacks."""

    code = "INVALID_BUS_URL"
    default_hint = "Use a URL such as sqlite:///home/me/bus.db."


class InvalidConfig(InvalidArgument):
    """A .hubbub.toml can't be read, or holds a key that does not exist."""

    code = "INVALID_CONFIG"
    exit_status = EXIT_PERSON


class MessageTooLarge(InvalidArgument):
    """Subject, body and metadata together exceed what a recipient takes."""

    code = "MESSAGE_TOO_LARGE"
    default_hint = "Write the content to a file that the recipient can read and send its path."


class IdempotencyMismatch(InvalidArgument):
    """An idempotency key was used before, for a different request."""

    code = "IDEMPOTENCY_MISMATCH"
    default_hint = "Use a new key for a new request; repeat a key only to retry the same one."


# --- what was named does not exist ------------------------------------------------------------


class NotFound(HubbubError):
    """Something that was named does not exist."""

    code = "NOT_FOUND"
    exit_status = EXIT_NOT_FOUND


class UnknownRecipient(NotFound):
    """A message was addressed to a name that no agent has."""

    code = "UNKNOWN_RECIPIENT"


class UnknownAgent(NotFound):
    """No agent has this name."""

    code = "UNKNOWN_AGENT"


class MessageNotFound(NotFound):
    """No message has this id."""

    code = "MESSAGE_NOT_FOUND"
    default_hint = "Message ids are shown when a message is sent, received or peeked at; check it for typos."


class ThreadNotFound(NotFound):
    """No thread has this id, or the reader takes part in none of its messages."""

    code = "THREAD_NOT_FOUND"


class TopicNotFound(NotFound):
    """No topic has this name or id, or it was deleted."""

    code = "TOPIC_NOT_FOUND"
    default_hint = "See list_topics, or hubbub topic list; make it with create_topic, or hubbub topic create."


class ReplyNotFound(NotFound):
    """A post answers a message that is not in its topic; nothing of the outbox was posted."""

    code = "REPLY_NOT_FOUND"
    default_hint = "reply_to takes the id of a message of the same topic, as sync and history show it."


# --- who is asking, and from where ---------------------------------------------------------------


class WrongContext(HubbubError):
    """The request makes no sense from where it was made."""

    code = "WRONG_CONTEXT"
    exit_status = EXIT_CONTEXT


class NoAgentName(WrongContext):
    """A command has to know which agent it acts for, and was not told."""

    code = "NO_AGENT_NAME"
    default_hint = "Set HUBBUB_AGENT, or pass --as NAME."


class NotRegistered(WrongContext):
    """The acting agent is not registered on this bus."""

    code = "NOT_REGISTERED"


class NameTaken(WrongContext):
    """Another live session holds this name."""

    code = "NAME_TAKEN"


class SessionSuperseded(WrongContext):
    """Another session took this session's name over; this one can change nothing any more."""

    code = "SESSION_SUPERSEDED"
    default_hint = "Stop acting under this name. Register under another one to go on."


class SessionEnded(WrongContext):
    """This session was ended, by itself or by the operator."""

    code = "SESSION_ENDED"
    default_hint = "Register again to go on."


class NotYourMessage(WrongContext):
    """The message was not delivered to the acting agent."""

    code = "NOT_YOUR_MESSAGE"


class NotJoined(WrongContext):
    """The acting agent is not a member of this topic: it left, or never joined."""

    code = "NOT_JOINED"
    default_hint = "Join it first: join_topic, or hubbub topic join NAME"


class RoleForbids(WrongContext):
    """The agent's role (publisher, consumer) does not allow this."""

    code = "ROLE_FORBIDS"


# --- the state of things does not allow it -----------------------------------------------------


class AlreadySettled(HubbubError):
    """The delivery was settled before."""

    code = "ALREADY_SETTLED"
    default_hint = "Nothing is left to do for this message."


class NotLeased(HubbubError):
    """A delivery can be released only while it is handed out."""

    code = "NOT_LEASED"


class DeliveryDead(HubbubError):
    """The delivery is parked among the dead letters."""

    code = "DELIVERY_DEAD"
    default_hint = "Bring it back with: hubbub dead retry ID"


class NotDead(HubbubError):
    """Only a dead letter can be retried or purged."""

    code = "NOT_DEAD"


class InboxFull(HubbubError):
    """A recipient's inbox holds as many unsettled messages as it takes; nothing was sent."""

    code = "INBOX_FULL"


class RateLimited(HubbubError):
    """The gate is enforced and the sender is beyond its limit; nothing was sent."""

    code = "RATE_LIMITED"
    counted_as = ""
    """What the gate counts the recipient under."""


class NothingOwed(HubbubError):
    """No answer to this message is owed any more, or none ever was."""

    code = "NOTHING_OWED"
    default_hint = "What is owed: list_pending, or hubbub pending."


class AnswerAwaited(HubbubError):
    """The message answers a request that another call of the same agent waits for."""

    code = "ANSWER_AWAITED"
    default_hint = "It is given to that call; when that gives up, the message is in the inbox."


class NotServed(HubbubError):
    """A ping went to an agent that no process serves at the moment."""

    code = "AGENT_OFFLINE"
    exit_status = EXIT_NOTHING


class NoPong(HubbubError):
    """The process that serves an agent did not answer a ping in time."""

    code = "NO_PONG"
    exit_status = EXIT_NOTHING


class NoInbox(HubbubError):
    """The recipient only publishes: it has no inbox."""

    code = "NO_INBOX"


class TopicClosed(HubbubError):
    """The topic is closed: it can be read, not posted to."""

    code = "TOPIC_CLOSED"
    default_hint = (
        "Read it as before. To post, reopen it: close_topic(reopen=true), or hubbub topic reopen NAME; "
        "or create another topic."
    )


class TopicExists(HubbubError):
    """An open topic has this name."""

    code = "TOPIC_EXISTS"
    default_hint = "Use that one, or choose another name."


class TopicFixed(HubbubError):
    """The topic of all agents can't be closed, renamed, deleted or left."""

    code = "TOPIC_FIXED"


class CursorOutOfRange(InvalidArgument):
    """A place in a topic lies after its last message."""

    code = "CURSOR_OUT_OF_RANGE"


class ImportInvalid(InvalidArgument):
    """A file can't be imported: it is cut off, damaged, or not what import takes."""

    code = "IMPORT_INVALID"


class ExportFailed(HubbubError):
    """An export could not be written."""

    code = "EXPORT_FAILED"


class MeaningUnavailable(HubbubError):
    """Search by meaning needs an extra that is not installed."""

    code = "MEANING_UNAVAILABLE"
    default_hint = "From the project's folder: pip install '.[semantic]'. Search by words works without."


class YamlUnavailable(HubbubError):
    """Plans in YAML need an extra that is not installed."""

    code = "YAML_UNAVAILABLE"
    default_hint = "From the project's folder: pip install '.[yaml]'. Plans in JSON work without."


class TooManyCalls(HubbubError):
    """One server was given more calls at once than it serves."""

    code = "TOO_MANY_CALLS"
    default_hint = "Wait for a call to end, then try again."


class DemoUnavailable(HubbubError):
    """The demonstration needs the official MCP client, which is not installed."""

    code = "DEMO_UNAVAILABLE"
    default_hint = "From the project's folder: pip install '.[demo]'"


class Cancelled(HubbubError):
    """The caller cancelled the call; whatever it had been handed was released."""

    code = "CANCELLED"


# --- the store ---------------------------------------------------------------------------------


class StoreError(HubbubError):
    """The bus itself can't be read or written."""

    code = "STORE_ERROR"
    default_hint = "Run: hubbub doctor"


class BusBusy(StoreError):
    """Another process held the bus for longer than the time-out; nothing was changed."""

    code = "BUS_BUSY"
    default_hint = "Try again. If it stays busy, look for a stopped or hung process that uses this bus."


class BusFull(StoreError):
    """The disk is full; nothing was changed."""

    code = "BUS_FULL"
    exit_status = EXIT_PERSON
    default_hint = "Free some space on the disk that holds the bus, then try again."


class BusReadOnly(StoreError):
    """The bus can't be written: its file or folder is read-only."""

    code = "BUS_READ_ONLY"
    exit_status = EXIT_PERSON
    default_hint = "Give your user the right to write the file and its folder."


class BusUnusable(StoreError):
    """The path of the bus can't hold one: a directory, a missing right, a folder that can't be made."""

    code = "BUS_UNUSABLE"
    exit_status = EXIT_PERSON
    default_hint = "Name a file in a folder that your user may write: --bus sqlite:///path/bus.db"


class BusNotFound(StoreError):
    """There is no bus where one was looked for, and the command does not make one."""

    code = "BUS_NOT_FOUND"
    exit_status = EXIT_NOT_FOUND
    default_hint = "Check the path, or make one: hubbub register NAME"


class BusNotHubbub(StoreError):
    """The file is not a Hubbub bus: no database at all, or another program's."""

    code = "BUS_NOT_HUBBUB"
    exit_status = EXIT_PERSON
    default_hint = "Name another file; Hubbub did not change this one."


class BusCorrupt(StoreError):
    """The database file is damaged."""

    code = "BUS_CORRUPT"
    exit_status = EXIT_PERSON
    default_hint = "Stop all agents, keep a copy of the file, and restore a backup."


class BusNewer(StoreError):
    """The bus was written by a newer version of Hubbub."""

    code = "BUS_NEWER"
    exit_status = EXIT_PERSON
    default_hint = "Upgrade this Hubbub; the file was not changed."


class BackupFailed(StoreError):
    """A backup could not be written."""

    code = "BACKUP_FAILED"


def all_errors() -> list[type[HubbubError]]:
    """Every error class, in the order of the files: the reference page is checked against it."""
    from hubbub import errors_setup, errors_wake, errors_work  # their errors are of these classes

    found: dict[type[HubbubError], None] = {}
    modules = (errors_work, errors_setup, errors_wake)
    for value in [*globals().values(), *(value for each in modules for value in vars(each).values())]:
        if isinstance(value, type) and issubclass(value, HubbubError):
            found[value] = None
    return list(found)
