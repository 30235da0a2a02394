"""The demonstration, as a newcomer runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_demonstration_goes_as_it_should(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hubbub", "demo"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for shown in (
        "KILLED",
        "has the task again, marked redelivered",
        "reads what it missed in #parser-fix",
        "finds what was said of an empty file",
        "8 messages sent, 8 settled once each, none lost, none left",
        "All went as it should",
    ):
        assert shown in done.stdout
