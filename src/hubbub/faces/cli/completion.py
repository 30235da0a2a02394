"""Completion scripts for bash, zsh and fish, made from the same tables as the parsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context

NAMES_AFTER = "--as --agent --from"
"""Options whose value is an agent's name."""

NAME_COMMANDS = "send|status|unregister|register"
"""Commands whose first argument may be an agent's name."""

_BASH = """\
# Completion of hubbub for bash. Load it with: eval "$(hubbub completion bash)"
_hubbub() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= bus= i words
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --bus) bus=${COMP_WORDS[i+1]}; ((i++)) ;;
            --as) ((i++)) ;;
            -*) ;;
            *) [[ -z $command ]] && command=${COMP_WORDS[i]} ;;
        esac
    done
    COMPREPLY=()
    case " @NAMES_AFTER@ " in *" $prev "*)
        COMPREPLY=($(compgen -W "$(hubbub complete-names ${bus:+--bus "$bus"} 2>/dev/null)" -- "$cur"))
        return ;;
    esac
    case $prev in
@VALUES@
    esac
    if [[ $cur == -* || -z $command ]]; then
        case $command in
@OPTIONS@
        esac
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
        return
    fi
    case $command in
        @NAME_COMMANDS@)
            words=$(hubbub complete-names ${bus:+--bus "$bus"} 2>/dev/null)
            COMPREPLY=($(compgen -W "$words" -- "$cur")) ;;
        dead) COMPREPLY=($(compgen -W "list show retry purge" -- "$cur")) ;;
        completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$cur")) ;;
    esac
}
complete -o default -F _hubbub hubbub
"""

_ZSH = """\
#compdef hubbub
# Completion of hubbub for zsh. Load it with: eval "$(hubbub completion zsh)"
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u; }
autoload -Uz bashcompinit && bashcompinit
"""


def completion(context: Context) -> int:
    """Print the script of one shell."""
    shell = context.arguments.shell
    script = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()
    context.show({"shell": shell, "script": script}, script.rstrip("\n"))
    return 0


def complete_names(context: Context) -> int:
    """Print the registered names, one a line; quick and, when there is no bus, silent."""
    from hubbub.errors import HubbubError

    try:
        names = [agent.name for agent in context.bus.store.agents.all()]
    except HubbubError:
        return 0
    context.show({"names": names}, *names)
    return 0


def _options() -> dict[str, list[tuple[tuple[str, ...], str]]]:
    """For each command its options: their spellings and the help of each."""
    from hubbub.faces.cli.arguments import build_parser
    from hubbub.faces.cli.catalogue import COMMANDS

    return {
        name: [
            (tuple(action.option_strings), action.help or "")
            for action in build_parser(name)._actions
            if action.option_strings
        ]
        for name in COMMANDS
    }


def _values() -> dict[str, tuple[str, ...]]:
    from hubbub.model import EVENTS
    from hubbub.names import KINDS, PRIORITIES, ROLES

    return {"--kind": KINDS, "--priority": PRIORITIES, "--role": ROLES, "--event": EVENTS}


_SHORT = {"--kind": "-k", "--priority": "-p"}


def _bash() -> str:
    options = _options()
    at_first = [*options, "--bus", "--as", "--json", "--no-color", "--help", "--version"]
    cases = [f'            "") words="{" ".join(at_first)}" ;;']
    for name, found in options.items():
        spelled = [spelling for spellings, _ in found for spelling in spellings]
        cases.append(f'            {name}) words="{" ".join(spelled)}" ;;')
    values = [
        f"        {option}{'|' + _SHORT[option] if option in _SHORT else ''}) "
        f'COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$cur")); return ;;'
        for option, words in _values().items()
    ]
    return (
        _BASH.replace("@OPTIONS@", "\n".join(cases))
        .replace("@VALUES@", "\n".join(values))
        .replace("@NAMES_AFTER@", NAMES_AFTER)
        .replace("@NAME_COMMANDS@", NAME_COMMANDS)
    )


def _zsh() -> str:
    # zsh runs bash's completion functions through its own bashcompinit.
    return _ZSH + _bash().partition("\n")[2]


def _fish() -> str:
    from hubbub.faces.cli.catalogue import COMMANDS

    lines = [
        "# Completion of hubbub for fish. Load it with: hubbub completion fish | source",
        "complete -c hubbub -f",
    ]
    for name, command in COMMANDS.items():
        lines.append(f"complete -c hubbub -n __fish_use_subcommand -a {name} -d {_quoted(command.summary)}")
    values = _values()
    for name, found in _options().items():
        for spellings, help_ in found:
            line = f"complete -c hubbub -n '__fish_seen_subcommand_from {name}'"
            line += "".join(
                f" -l {each[2:]}" if each.startswith("--") else f" -s {each[1:]}" for each in spellings
            )
            if spellings[-1] in NAMES_AFTER.split():
                line += " -x -a '(hubbub complete-names 2>/dev/null)'"
            elif spellings[-1] in values:
                line += f" -x -a {_quoted(' '.join(values[spellings[-1]]))}"
            lines.append(f"{line} -d {_quoted(help_)}")
    first = NAME_COMMANDS.replace("|", " ")
    names = "(hubbub complete-names 2>/dev/null)"
    lines.append(f"complete -c hubbub -n '__fish_seen_subcommand_from {first}' -a '{names}'")

    lines.append("complete -c hubbub -n '__fish_seen_subcommand_from dead' -a 'list show retry purge'")
    lines.append("complete -c hubbub -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


__all__ = ["complete_names", "completion"]
