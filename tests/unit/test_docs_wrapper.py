"""The page on profiles says what the code does."""

from __future__ import annotations

import pathlib
import re
import tomllib

from hubbub.wake import command, profiles, pty, ring
from hubbub.wake.profiles import Profile, profile_of

DOCS = pathlib.Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "reference" / "wrapper.md").read_text()
GUIDE = (DOCS / "how-to" / "wake-any-agent.md").read_text()


def test_every_key_is_listed_with_its_usual_value() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", PAGE, re.MULTILINE))
    assert set(rows) == set(Profile._fields) - {"name"}
    for key, value in Profile._field_defaults.items():
        if isinstance(value, bool):
            assert rows[key] == f"`{str(value).lower()}`"
        elif isinstance(value, float):
            assert rows[key] == f"{value:g}"
    assert rows["clear_keys"] == ", ".join(f"`{key}`" for key in Profile._field_defaults["clear_keys"])
    assert rows["frame"] == f"`{Profile._field_defaults['frame']}`"


def test_the_example_is_a_profile() -> None:
    [example] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert profile_of("example", tomllib.loads(example)).shows_text


def test_the_profiles_that_come_along_are_named() -> None:
    for name in profiles.names():
        assert f"`{name}`" in PAGE


def test_the_numbers_are_those_of_the_code() -> None:
    usual = Profile._field_defaults
    assert f"quiet for {usual['quiet_seconds']:g} s" in GUIDE
    assert f"pressed a key for {usual['untouched_seconds']:g} s" in GUIDE
    assert f"could not be typed for {ring.NOTICE_SECONDS:g} s" in GUIDE
    assert f"after {ring.TAKEN_SECONDS:g} s, one more" in PAGE
    assert f"show up within {ring.ECHO_SECONDS:g} s" in PAGE
    assert f"no other try for {ring.AGAIN_SECONDS:g} s" in PAGE
    assert f"has {pty.HANG_UP_SECONDS:g} s to end" in PAGE
    assert ring.doorbell(1) in GUIDE
    assert {"HUBBUB_COUNT", "HUBBUB_URGENT"} <= set(re.findall(r"HUBBUB_\w+", command.run_once.__doc__ or ""))
    for number in pty.FORWARDED:
        assert number.name in PAGE
