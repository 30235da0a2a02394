"""The commands of work, as the catalogue lists them: module, function, summary, example."""

from __future__ import annotations

PROJECT = "commands.project"
FIGURES = "commands.project_figures"
FILES = "commands.project_files"
PLAN = "commands.step_plan"
ENDS = "commands.step_ends"
CLAIM = "commands.step_claim"
LOOK = "commands.step_look"
RESERVE = "commands.reserve"

WORK: dict[str, tuple[str, str, str, str]] = {
    "project create": (
        PROJECT,
        "create",
        "make a project, with its steps",
        "hubbub project create parser --base 1f3c2ab --steps steps.json",
    ),
    "project list": (PROJECT, "list_", "the projects", "hubbub project list --state active"),
    "project show": (PROJECT, "show", "one project and its steps", "hubbub project show parser"),
    "project pause": (PROJECT, "pause", "hand out no more of its steps", "hubbub project pause parser"),
    "project resume": (
        PROJECT,
        "resume",
        "go on with a paused or aborted project",
        "hubbub project resume parser",
    ),
    "project abort": (PROJECT, "abort", "cancel all that is not over", "hubbub project abort parser --yes"),
    "project edit": (
        PROJECT,
        "edit",
        "change its name, base, description or priority",
        "hubbub project edit parser --priority 5",
    ),
    "project metrics": (
        FIGURES,
        "metrics",
        "how the work goes: counts, times, failures",
        "hubbub project metrics parser --agent bob",
    ),
    "project events": (
        FIGURES,
        "events",
        "what happened in a project",
        "hubbub project events parser --limit 20",
    ),
    "project import": (
        FILES,
        "import_",
        "make projects of a plan or an hq database",
        "hubbub project import plan.yaml",
    ),
    "project export": (
        FILES,
        "export",
        "write a project's plan to a file",
        "hubbub project export parser -o plan.yaml",
    ),
    "step add": (
        PLAN,
        "add",
        "add a step to a project",
        "hubbub step add parser 'Write the lexer' --needs 1 --path 'src/lexer/**'",
    ),
    "step edit": (PLAN, "edit", "change a step that is not over", "hubbub step edit parser/3 --priority 5"),
    "step split": (
        PLAN,
        "split",
        "put several steps in the place of one",
        "hubbub step split parser/3 'Lexer' 'Grammar'",
    ),
    "step needs": (
        PLAN,
        "needs",
        "change what a step waits for",
        "hubbub step needs parser/3 --add 2:merged --remove 1",
    ),
    "step limit": (
        PLAN,
        "limit",
        "set how many steps may have a resource at a time",
        "hubbub step limit gpu 2",
    ),
    "step list": (LOOK, "list_", "the steps", "hubbub step list parser --ready"),
    "step show": (LOOK, "show", "one step and its attempts", "hubbub step show parser/3"),
    "step explain": (
        LOOK,
        "explain",
        "what keeps a step from being claimed",
        "hubbub step explain parser/3",
    ),
    "step graph": (
        LOOK,
        "graph",
        "draw what waits for what",
        "hubbub step graph parser --format svg -o parser.svg",
    ),
    "step claim": (
        CLAIM,
        "claim",
        "take a step that is ready, with all that is needed to begin",
        "hubbub step claim parser --wait 60 --start",
    ),
    "step mine": (CLAIM, "mine", "the steps that you hold", "hubbub step mine"),
    "step start": (
        CLAIM,
        "start",
        "say that work begins, and where",
        "hubbub step start --branch lexer --worktree ../lexer",
    ),
    "step beat": (
        CLAIM,
        "beat",
        "renew a claim, and leave notes for a successor",
        "hubbub step beat --notes 'Half of the tests pass.'",
    ),
    "step done": (
        ENDS,
        "done",
        "complete the step that you hold",
        "hubbub step done --commit 9ae01f2 --result 'The lexer works.'",
    ),
    "step fail": (
        ENDS,
        "fail",
        "say that the attempt failed, and why",
        "hubbub step fail 'The tests need a network.' --class environment",
    ),
    "step release": (ENDS, "release", "give a step back without blame", "hubbub step release"),
    "step merged": (
        ENDS,
        "merged",
        "say that a step's work is in the base",
        "hubbub step merged parser/3 --commit 77aa012",
    ),
    "step cancel": (
        ENDS,
        "cancel",
        "say that a step is not to be done",
        "hubbub step cancel parser/3 --reason 'Not needed.'",
    ),
    "step retry": (
        ENDS,
        "retry",
        "bring back a failed, parked or cancelled step",
        "hubbub step retry parser/3 --note 'The network is up.'",
    ),
    "step stale": (ENDS, "stale", "claims that show no life", "hubbub step stale --idle 10m"),
    "step recover": (
        ENDS,
        "recover",
        "take a step back from a claim that ran out",
        "hubbub step recover parser/3",
    ),
    "reserve": (
        RESERVE,
        "reserve",
        "keep files to yourself for a while",
        "hubbub reserve 'src/lexer/**' --for 30m --reason 'Renaming'",
    ),
    "reserve list": (RESERVE, "list_", "the files that agents keep", "hubbub reserve list --agent bob"),
    "reserve renew": (RESERVE, "renew", "keep them longer", "hubbub reserve renew r1abcde --for 1h"),
    "reserve release": (RESERVE, "release", "give them up", "hubbub reserve release r1abcde"),
    "reserve check": (
        RESERVE,
        "check",
        "who holds files, if anybody",
        "hubbub reserve check src/lexer/tokens.py",
    ),
}
"""In the order that the help shows."""
