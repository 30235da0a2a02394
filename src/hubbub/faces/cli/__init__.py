"""The command line. :mod:`hubbub.faces.cli.main` is its entry point."""
