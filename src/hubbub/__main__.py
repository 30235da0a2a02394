"""``python -m hubbub`` is the ``hubbub`` command."""

from hubbub.faces.cli.main import run

if __name__ == "__main__":
    run()
