"""What hooks and rings say of how to call Hubbub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hubbub
from hubbub.model import Draft
from hubbub.wake.hooks.texts import before_stop, program

HERE = str(Path(__file__).parent.parent.parent / "src")
SAYS = "from hubbub.wake.hooks.texts import doorbell; print(doorbell(1))"


def said(program: Path, path: str) -> str:
    """The doorbell as a program says it that PATH or a full path has led to."""
    words = [str(program)] if path == os.defpath else [program.name]
    environment = {**os.environ, "PATH": path, "PYTHONPATH": HERE}
    done = subprocess.run(words, env=environment, capture_output=True, check=True, text=True, timeout=60)
    return done.stdout


def script(folder: Path, python: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "hubbub"
    made.write_text(f"#!{python}\n{SAYS}\n")
    made.chmod(0o755)
    return made


def test_a_command_on_the_path_is_named_alone(tmp_path: Path) -> None:
    made = script(tmp_path / "bin", sys.executable)
    path = os.pathsep.join([str(made.parent), os.defpath])
    assert said(made, path).endswith("(in a shell: hubbub receive) and act on it.\n")


def test_a_command_that_is_not_on_the_path_is_named_in_full(tmp_path: Path) -> None:
    made = script(tmp_path / "bin", sys.executable)
    assert f"(in a shell: {made} receive)" in said(made, os.defpath)


def test_a_command_of_a_virtual_environment_is_named_in_full(tmp_path: Path) -> None:
    """It is on the PATH of the shell where it was activated; an agent's shell may set a PATH of its own."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=120)
    packages = environment / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (packages / "more.pth").write_text("\n".join(path for path in sys.path if "site-packages" in path))
    made = script(environment / "bin", str(environment / "bin" / "python"))
    path = os.pathsep.join([str(made.parent), os.defpath])
    assert f"(in a shell: {made} receive)" in said(made, path)


@pytest.mark.parametrize("called", ["/a b/hubbub", "/x;y/hubbub", "/é/hubbub", "hubbub", "/bin/python", ""])
def test_what_a_shell_would_not_take_as_it_is_is_not_said(
    monkeypatch: pytest.MonkeyPatch, called: str
) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert program() == "hubbub"


def test_a_stop_counts_what_it_does_not_name(tmp_path: Path) -> None:
    """What was named at an earlier stop is not named again, and waits all the same."""
    with hubbub.connect(f"sqlite://{tmp_path / 'bus.db'}") as bus:
        bus.agents.register("bob")
        bus.agents.register("ada")
        ids = [bus.mail.send(bus.agents.attach("ada"), Draft(("bob",), "x")).id for _ in range(3)]
        waiting = list(bus.mail.peek("bob").deliveries)
    said = before_stop(waiting[2:], 3, [], [])
    assert f"3 messages wait that you have not taken ({ids[2]} from ada; and 2 more)." in said
    assert f"({'; '.join(f'{id_} from ada' for id_ in ids)})." in before_stop(waiting, 3, [], [])
