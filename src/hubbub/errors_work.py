"""The errors of work. What :mod:`hubbub.errors` says of all errors holds here."""

from __future__ import annotations

from hubbub.errors import EXIT_CONTEXT, HubbubError, InvalidArgument, NotFound, WrongContext


class ProjectNotFound(NotFound):
    """No project has this name or id."""

    code = "PROJECT_NOT_FOUND"
    default_hint = "List them: list_projects, or hubbub project list"


class StepNotFound(NotFound):
    """No step has this id or number."""

    code = "STEP_NOT_FOUND"
    default_hint = "Name a step by its id, or as PROJECT/NUMBER. List them: get_project, or hubbub step list"


class ReservationNotFound(NotFound):
    """No live reservation of the acting agent has this id."""

    code = "RESERVATION_NOT_FOUND"
    default_hint = "It ran out or was released. List the live ones: hubbub reserve list"


class ProjectExists(HubbubError):
    """A project has this name."""

    code = "PROJECT_EXISTS"
    default_hint = "Use that one, or choose another name."


class StepExists(InvalidArgument):
    """A step of the project has this number, or two of the new ones have the same."""

    code = "STEP_EXISTS"
    default_hint = "Choose a free number, or leave it out: a new step takes the next one."


class DependencyCycle(InvalidArgument):
    """Steps would wait for each other in a circle; nothing was changed."""

    code = "DEPENDENCY_CYCLE"
    default_hint = "Leave out one of these needs."


class StepOver(HubbubError):
    """The step is over: done, failed, parked or cancelled."""

    code = "STEP_OVER"
    default_hint = (
        "Bring a failed, parked or cancelled one back: recover_step(retry=true), or hubbub step retry. "
        "For more to do after one that is done, add a step."
    )


class StepBegun(HubbubError):
    """Somebody holds the step."""

    code = "STEP_BEGUN"
    default_hint = "Wait until its holder is done or releases it, cancel it, or add another step."


class StepNotCompleted(HubbubError):
    """Only a completed step can be marked as merged."""

    code = "STEP_NOT_COMPLETED"
    default_hint = "Its holder completes it first: complete_step, or hubbub step done"


class StepCompletedOtherwise(HubbubError):
    """The step is done already, with another commit, result, notes or files; nothing was changed."""

    code = "STEP_COMPLETED_OTHERWISE"
    default_hint = (
        "The same request again has the same answer. What was recorded stays: say in the project's topic "
        "what is right, or add a step that corrects it."
    )


class StepNotClaimed(HubbubError):
    """Nobody holds the step, so there is no claim to take back."""

    code = "STEP_NOT_CLAIMED"
    default_hint = "What keeps it from being claimed: get_step, or hubbub step explain"


class ProjectNotDone(HubbubError):
    """The project has steps that are neither done nor cancelled; nothing was changed."""

    code = "PROJECT_NOT_DONE"
    default_hint = (
        "It completes by itself with its last step. To stop before, abort it, or cancel what is left."
    )


class StepNotParked(HubbubError):
    """Only a parked, failed or cancelled step can be retried."""

    code = "STEP_NOT_PARKED"
    default_hint = "What keeps it from being claimed: get_step, or hubbub step explain"


class ClaimLost(HubbubError):
    """The claim is over; its holder can change nothing any more."""

    code = "CLAIM_LOST"
    exit_status = EXIT_CONTEXT
    default_hint = "Stop working on this step and do not push. Claim another one to go on."


class ClaimNotFound(WrongContext):
    """The agent has no claim that this could mean: it took none, or what it took is over."""

    code = "CLAIM_NOT_FOUND"
    default_hint = (
        "Your claims: claim_step(mine=true), or hubbub step mine. "
        "To take one: claim_step, or hubbub step claim"
    )


class ClaimLive(HubbubError):
    """The claim has not run out: its holder may be at work."""

    code = "CLAIM_LIVE"
    default_hint = "Wait until its lease runs out, or ask its holder to release it."


class ClaimChanged(HubbubError):
    """The claim is not what was seen: it was renewed, ended or taken meanwhile; nothing was changed."""

    code = "CLAIM_CHANGED"
    default_hint = "Look again: detect_stale_work, or hubbub step stale"


class PathHeld(HubbubError):
    """Somebody else holds one of these files; nothing was changed."""

    code = "PATH_HELD"
    default_hint = "Ask who holds it, or wait until it is free."
