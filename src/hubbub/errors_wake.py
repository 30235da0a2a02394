"""The errors of waking agents. What :mod:`hubbub.errors` says of all errors holds here."""

from __future__ import annotations

from hubbub.errors import EXIT_CONTEXT, EXIT_NOT_FOUND, EXIT_PERSON, HubbubError


class CommandNotFound(HubbubError):
    """The program to run does not exist. The exit status is a shell's."""

    code = "COMMAND_NOT_FOUND"
    exit_status = 127
    default_hint = "Check its name and PATH. Options of hubbub run go before the program's name."


class CommandNotRunnable(HubbubError):
    """The program to run is there, and can't be run. The exit status is a shell's."""

    code = "COMMAND_NOT_RUNNABLE"
    exit_status = 126
    default_hint = "It must be a file that your user may execute."


class NoTerminal(HubbubError):
    """No terminal can be made for a program."""

    code = "NO_TERMINAL"
    exit_status = EXIT_PERSON
    default_hint = "The system is out of terminals or processes, or keeps this user from making one."


class AlreadyBeside(HubbubError):
    """Another process does this for the agent already."""

    code = "ALREADY_BESIDE"
    exit_status = EXIT_CONTEXT


class TmuxUnavailable(HubbubError):
    """tmux is not installed, or does not do what it is asked."""

    code = "TMUX_UNAVAILABLE"
    exit_status = EXIT_PERSON
    default_hint = "Install tmux, and run this where tmux list-panes -a shows the pane."


class PaneNotFound(HubbubError):
    """tmux has no such pane."""

    code = "PANE_NOT_FOUND"
    exit_status = EXIT_NOT_FOUND
    default_hint = "See them with: tmux list-panes -a -F '#{pane_id} #{pane_current_command} #{pane_title}'"
