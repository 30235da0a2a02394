"""Completion scripts for bash, zsh and fish, made from the same tables as the parsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.text import safe_line

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context

NAMES_AFTER = "--as --agent --from --of"
"""Options whose value is an agent's name."""

NAME_COMMANDS = "request|ping|pending|send|status|unregister|register|monitor"
"""Commands whose first argument may be an agent's name."""

TOPICS_AFTER = "--topic"
"""The option whose value is a topic's name."""

TOPIC_COMMANDS = ("sync", "watch", "export", "topic")
"""Commands whose arguments are topics' names; of ``topic``, after its action."""

PROJECTS_AFTER = "--project"
"""The option whose value is a project's name."""

NOT_PROJECTS = ("project create", "project import", "project list")
"""Commands of ``project`` whose arguments are no projects' names."""

PROJECT_COMMANDS = ("step add", "step list", "step claim", "step graph")
"""Other commands whose first argument is a project's name."""

OFFERED_MAX = 1000
"""How many topics or projects are offered: the last active topics, the foremost projects."""

_BASH = """\
# Completion of hubbub for bash. Load it with: eval "$(hubbub completion bash)"
# A name of a topic or project may hold any printable letter: nothing of it is ever expanded.
_hubbub_named() {
    local name quoted
    while IFS= read -r name; do
        printf -v quoted %q "$name"
        [[ $name == "$2"* || $quoted == "$2"* ]] && COMPREPLY+=("$quoted")
    done < <(hubbub "complete-$1" ${3:+--bus "$3"} 2>/dev/null)
}
_hubbub() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= bus= i words
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --bus) bus=${COMP_WORDS[i+1]}; ((i++)) ;;
            --as) ((i++)) ;;
            -*) ;;
            *)
                if [[ -z $command ]]; then command=${COMP_WORDS[i]}
                elif [[ "|@PAIRS@|" == *"|$command ${COMP_WORDS[i]}|"* ]]; then command+=" ${COMP_WORDS[i]}"
                fi ;;
        esac
    done
    COMPREPLY=()
    case "$command $prev" in
@OWN_VALUES@
        "watch --mail") prev=--agent ;;
    esac
    case " @NAMES_AFTER@ " in *" $prev "*)
        COMPREPLY=($(compgen -W "$(hubbub complete-names ${bus:+--bus "$bus"} 2>/dev/null)" -- "$cur"))
        return ;;
    esac
    case $prev in
        @TOPICS_AFTER@) _hubbub_named topics "$cur" "$bus"; return ;;
        @PROJECTS_AFTER@) _hubbub_named projects "$cur" "$bus"; return ;;
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
@ACTIONS@
        @TOPIC_COMMANDS@) _hubbub_named topics "$cur" "$bus" ;;
        @PROJECT_COMMANDS@) _hubbub_named projects "$cur" "$bus" ;;
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


def complete_topics(context: Context) -> int:
    """Print the topics' names, one a line, the last active first; quick and silent as the other."""
    from hubbub.errors import HubbubError

    try:
        page = context.bus.topics.list(state="all", limit=OFFERED_MAX, count_members=False)
    except HubbubError:
        return 0
    names = list(dict.fromkeys(topic.name for topic in page.topics))
    context.show({"names": names}, *map(safe_line, names))
    return 0


def complete_projects(context: Context) -> int:
    """Print the projects' names, one a line, the foremost first; quick and silent as the others."""
    from hubbub.errors import HubbubError

    try:
        projects, _ = context.bus.work.projects(limit=OFFERED_MAX)
    except HubbubError:
        return 0
    names = [project.name for project in projects]
    context.show({"names": names}, *map(safe_line, names))
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
    from hubbub.model_work import FAILURES, STATUSES
    from hubbub.names import KINDS, PRIORITIES, ROLES

    return {
        "--kind": KINDS,
        "--priority": PRIORITIES,
        "--role": ROLES,
        "--event": EVENTS,
        "--state": ("open", "closed", "all"),
        "--mode": ("auto", "words", "meaning", "hybrid"),
        "--format": ("markdown", "jsonl"),
        "--status": STATUSES,
        "--class": FAILURES,
    }


def _own_values() -> dict[tuple[str, str], tuple[str, ...]]:
    """The values of options that are others for one command than for the rest."""
    from hubbub.model_work import PROJECT_STATES

    return {
        ("topic join", "--from"): ("start", "latest"),
        ("project list", "--state"): PROJECT_STATES,
        ("project export", "--format"): ("json", "yaml"),
        ("project import", "--format"): ("json", "yaml"),
        ("step graph", "--format"): ("text", "mermaid", "svg"),
    }


def _numbers() -> tuple[str, ...]:
    """Commands whose ``--priority`` is a number, not a word."""
    return ("project create", "project edit", "step add", "step edit")


_SHORT = {"--kind": "-k", "--priority": "-p"}


def _first_words() -> list[str]:
    """What may follow ``hubbub``: a command's only word, or its first."""
    from hubbub.faces.cli.catalogue import COMMANDS

    return list(dict.fromkeys(name.partition(" ")[0] for name in COMMANDS))


def _bash() -> str:
    from hubbub.faces.cli.catalogue import COMMANDS, FAMILIES, family

    options = _options()
    at_first = [*_first_words(), "--bus", "--as", "--json", "--no-color", "--help", "--version"]
    cases = [f'            "") words="{" ".join(at_first)}" ;;']
    for name, found in options.items():
        spelled = [spelling for spellings, _ in found for spelling in spellings]
        cases.append(f'            "{name}") words="{" ".join(spelled)}" ;;')
    cases += [
        f'            {word}) words="{" ".join(family(word))} --help" ;;'
        for word in FAMILIES
        if word not in COMMANDS
    ]
    actions = [
        f'        {word}) COMPREPLY=($(compgen -W "{" ".join(family(word))}" -- "$cur")) ;;'
        for word in FAMILIES
    ]
    pairs = [name for name in COMMANDS if " " in name]
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
        .replace("@TOPICS_AFTER@", TOPICS_AFTER)
        .replace("@TOPIC_COMMANDS@", "|".join(['"topic "*', *TOPIC_COMMANDS[:-1]]))
        .replace("@PROJECTS_AFTER@", PROJECTS_AFTER)
        .replace("@PROJECT_COMMANDS@", "|".join(f'"{name}"' for name in _project_commands()))
        .replace("@OWN_VALUES@", "\n".join(_own_cases()))
        .replace("@PAIRS@", "|".join(pairs))
        .replace("@ACTIONS@", "\n".join(actions))
    )


def _own_cases() -> list[str]:
    cases = [
        f'        "{name} {option}") COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$cur")); return ;;'
        for (name, option), words in _own_values().items()
    ]
    return cases + [f'        "{name} --priority") return ;;' for name in _numbers()]


def _project_commands() -> list[str]:
    """The commands whose first argument is a project's name."""
    from hubbub.faces.cli.catalogue import family

    of_project = [f"project {action}" for action in family("project")]
    return [name for name in of_project if name not in NOT_PROJECTS] + [*PROJECT_COMMANDS]


def _zsh() -> str:
    # zsh runs bash's completion functions through its own bashcompinit.
    return _ZSH + _bash().partition("\n")[2]


def _fish() -> str:
    from hubbub.faces.cli.catalogue import COMMANDS, FAMILY_SUMMARIES, family

    lines = [
        "# Completion of hubbub for fish. Load it with: hubbub completion fish | source",
        "complete -c hubbub -f",
    ]
    for name, command in COMMANDS.items():
        word, _, action = name.partition(" ")
        when = (
            "__fish_use_subcommand"
            if not action
            else _quoted(f"{_seen(word)}; and not {_seen(*family(word))}")
        )
        lines.append(f"complete -c hubbub -n {when} -a {action or name} -d {_quoted(command.summary)}")
    for word, summary in FAMILY_SUMMARIES.items():
        lines.append(f"complete -c hubbub -n __fish_use_subcommand -a {word} -d {_quoted(summary)}")
    for name, found in _options().items():
        for spellings, help_ in found:
            lines.append(_fish_option(name, spellings, help_))
    names = "(hubbub complete-names 2>/dev/null)"
    lines.append(f"complete -c hubbub -n '{_seen(*NAME_COMMANDS.split('|'))}' -a '{names}'")
    topics = "(hubbub complete-topics 2>/dev/null)"
    lines.append(f"complete -c hubbub -n '{_seen(*TOPIC_COMMANDS[:-1])}' -a '{topics}'")
    lines.append(f"complete -c hubbub -n '{_seen('topic')}; and {_seen(*family('topic'))}' -a '{topics}'")
    for name in _project_commands():
        word, _, action = name.partition(" ")
        shown = "(hubbub complete-projects 2>/dev/null)"
        lines.append(f"complete -c hubbub -n '{_seen(word)}; and {_seen(action)}' -a '{shown}'")
    lines.append(f"complete -c hubbub -n '{_seen('dead')}' -a 'list show retry purge'")
    lines.append(f"complete -c hubbub -n '{_seen('completion')}' -a 'bash zsh fish'")
    return "\n".join(lines) + "\n"


def _seen(*words: str) -> str:
    return f"__fish_seen_subcommand_from {' '.join(words)}"


def _fish_option(name: str, spellings: tuple[str, ...], help_: str) -> str:
    values = _values()
    line = f"complete -c hubbub -n '{'; and '.join(_seen(word) for word in name.split())}'"
    line += "".join(f" -l {each[2:]}" if each.startswith("--") else f" -s {each[1:]}" for each in spellings)
    own = _own_values().get((name, spellings[-1]))
    if own is not None:
        line += f" -x -a {_quoted(' '.join(own))}"
    elif spellings[-1] == "--priority" and name in _numbers():
        line += " -x"
    elif spellings[-1] in NAMES_AFTER.split() or (name, spellings[-1]) == ("watch", "--mail"):
        line += " -x -a '(hubbub complete-names 2>/dev/null)'"
    elif spellings[-1] == TOPICS_AFTER:
        line += " -x -a '(hubbub complete-topics 2>/dev/null)'"
    elif spellings[-1] == PROJECTS_AFTER:
        line += " -x -a '(hubbub complete-projects 2>/dev/null)'"
    elif spellings[-1] in values:
        line += f" -x -a {_quoted(' '.join(values[spellings[-1]]))}"
    return f"{line} -d {_quoted(help_)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


__all__ = ["complete_names", "complete_topics", "completion"]
