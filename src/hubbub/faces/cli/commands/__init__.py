"""The commands: each a function that takes a :class:`hubbub.faces.cli.context.Context` and
returns the exit status. One file per group; only the named command's file is imported."""
