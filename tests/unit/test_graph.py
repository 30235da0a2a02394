"""The graph of a project: waves, the longest chain, what holds up what, and its three forms."""

from __future__ import annotations

import re
from random import Random
from unicodedata import category
from xml.etree import ElementTree

import pytest

from hubbub.drawing import FORMS, Graph, as_mermaid, as_svg, as_text, graph_of
from hubbub.drawing.graph import CLOSED
from hubbub.drawing.mermaid import EDGES_MAX
from hubbub.drawing.places import HEIGHT, WIDTH, place
from hubbub.drawing.svg import READABLE_MAX, STEPS_MAX
from hubbub.drawing.terminal import STEPS_SHOWN, WAVES_SHOWN
from hubbub.model_work import ON_FAILURE, STATUSES, Counts, Need, Project, Step

SVG = "{http://www.w3.org/2000/svg}"

EVIL = (
    "plain",
    '"quoted"',
    "<script>alert(1)</script>",
    "end",
    "#35; #quot; &amp; &lt;",
    "`**bold**`",
    "a;b",
    "[x](y) {z} |pipe|",
    '%%{init: {"securityLevel": "loose"}}%%',
    "--> s3",
    "日本語 🎉",
    "line\nbreak\x1b[31m\x07",
    "subgraph x",
    "click s1 call()",
    ":::evil",
    "]]><!--",
    "\u202egnp.exe",
    "\ufffe\uffff\ud800",
    "x" * 300,
    "",
)


def step(num: int, *needs: int | Need, title: str = "", status: str = "not_started", agent: str = "") -> Step:
    edges = tuple(need if isinstance(need, Need) else Need(need) for need in needs)
    return Step(
        id=f"s{num}",
        project="j1",
        num=num,
        title=title or f"Step {num}",
        instructions="",
        acceptance="",
        branch="",
        scope="",
        paths=(),
        resources=(),
        priority=0,
        status=status,
        needs=edges,
        waiting=len(edges),
        attempts=0,
        max_attempts=3,
        time_limit_ms=1,
        not_before=None,
        metadata=None,
        created_at=0,
        ready_at=None,
        ended_at=None,
        agent=agent or None,
        lease_until=None,
        commit=None,
        files=(),
        notes=None,
        result=None,
    )


def graph(*steps: Step, name: str = "parser") -> Graph:
    project = Project("j1", name, "active", "", "", 0, None, None, "alice", 0, Counts())
    return graph_of(project, steps)


def random_graph(seed: int, count: int) -> Graph:
    random = Random(seed)
    steps = []
    for num in range(1, count + 1):
        earlier = random.sample(range(1, num), min(num - 1, random.randint(0, 3)))
        needs = [
            Need(need, random.choice(("completed", "merged")), random.choice(ON_FAILURE)) for need in earlier
        ]
        steps.append(step(num, *needs, status=random.choice(STATUSES), title=random.choice(EVIL)))
    random.shuffle(steps)
    return graph(*steps)


def evil() -> Graph:
    titles = enumerate(EVIL, 1)
    steps = [
        step(num, *([num - 1] if num > 1 else []), title=title, status=STATUSES[num % 8], agent="bob")
        for num, title in titles
    ]
    return graph(*steps, name='a "name" %%{init}%%\n--- <b>')


# --- what the graph says -------------------------------------------------------------------------------


def test_waves_chain_and_what_is_in_the_way() -> None:
    found = graph(
        step(1, status="merged"),
        step(2, 1, status="completed"),
        step(3, 1, status="in_progress"),
        step(4, 2, 3),
        step(5, Need(2, "merged")),
        step(6, 4, 5),
        step(7, status="failed"),
        step(8, Need(7, on_failure="continue")),
        step(9, 7),
        step(10),
    )
    assert found.waves == ((1, 7, 10), (2, 3, 8, 9), (4, 5), (6,))
    assert found.chain == (3, 4, 6)
    unmet = {node.num: node.unmet for node in found.nodes if node.unmet}
    assert unmet == {4: (3,), 5: (2,), 6: (4, 5), 9: (7,)}
    assert [node.num for node in found.nodes if node.ready] == [8, 10]
    assert found.holds_up == {2: 2, 3: 2, 4: 1, 5: 1, 7: 1}
    assert list(found.holds_up) == [2, 3, 4, 5, 7]


def test_a_graph_of_nothing() -> None:
    found = graph()
    assert (found.waves, found.chain, dict(found.holds_up)) == ((), (), {})
    assert list(as_text(found)) == ["parser (active): 0 steps, 0 waves"]
    assert as_mermaid(found).endswith("flowchart LR\n")
    ElementTree.fromstring(as_svg(found))


def test_a_need_that_is_not_given_and_a_circle_are_borne() -> None:
    found = graph(step(1, 99), step(2, 3), step(3, 2), step(4, 1))
    assert found.by_num[1].needs == ()
    assert sorted(num for wave in found.waves for num in wave) == [1, 2, 3, 4]
    for text in ("\n".join(as_text(found)), as_mermaid(found), as_svg(found)):
        assert "Step 3" in text


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs_against_what_is_plain(seed: int) -> None:
    found = random_graph(seed, 30)
    nodes = found.by_num

    def wave(num: int) -> int:
        return max((wave(need.num) + 1 for need in nodes[num].needs), default=0)

    def longest(num: int) -> int:
        if nodes[num].status in CLOSED:
            return 0
        return 1 + max((longest(need) for need in nodes[num].unmet), default=0)

    def held_up(num: int) -> set[int]:
        direct = [node.num for node in found.nodes if num in node.unmet]
        return set(direct).union(*(held_up(each) for each in direct))

    assert {num: index for index, nums in enumerate(found.waves) for num in nums} == {
        num: wave(num) for num in nodes
    }
    assert len(found.chain) == max(map(longest, nodes))
    assert all(first in nodes[then].unmet for first, then in zip(found.chain, found.chain[1:], strict=False))
    assert dict(found.holds_up) == {num: len(held_up(num)) for num in nodes if held_up(num)}


# --- as text -------------------------------------------------------------------------------------------


def test_the_text_of_a_small_graph() -> None:
    found = graph(
        step(1, title="Grammar", status="merged", agent="alice"),
        step(2, 1, title="Lexer", status="in_progress", agent="bob"),
        step(3, 2, title="Parser"),
        step(4, title="Old", status="cancelled", agent="bob"),
    )
    assert list(as_text(found)) == [
        "parser (active): 4 steps, 3 waves, 1 done, 1 in hand, 1 waiting, 1 cancelled",
        "Longest chain of open steps, 2: 2 -> 3",
        "Wave 1",
        "  [x] 1  Grammar  merged by alice",
        "  [-] 4  Old  cancelled",
        "Wave 2",
        " *[>] 2  Lexer <- 1  in_progress by bob",
        "Wave 3",
        " *[ ] 3  Parser <- 2  waits for 2",
        "* on the longest chain of open steps; <- needs",
        "In the way of most:",
        "  2 Lexer (in_progress) holds up 1 step",
    ]


def test_ten_thousand_steps_are_told_in_few_lines() -> None:
    chain = graph(*(step(num, *([num - 1] if num > 1 else [])) for num in range(1, 10_001)))
    assert chain.chain == tuple(range(1, 10_001))
    lines = list(as_text(chain))
    assert len(lines) < 2 * WAVES_SHOWN + 20
    assert f"and {10_000 - WAVES_SHOWN} more waves with {10_000 - WAVES_SHOWN} steps" in lines
    assert max(map(len, lines)) < 300
    flat = graph(*(step(num) for num in range(1, 10_001)))
    assert "  ready: 1, 2, 3, 4, 5, 6, 7, 8 and 9992 more" in list(as_text(flat))
    assert len(list(as_text(flat, everything=True))) == 10_002


def test_of_many_steps_the_waves_that_are_done_take_one_line() -> None:
    done = [step(num, *([num - 1] if num > 1 else []), status="merged") for num in range(1, STEPS_SHOWN + 1)]
    lines = list(as_text(graph(*done, step(STEPS_SHOWN + 1, STEPS_SHOWN))))
    assert lines[1:] == [
        f"Waves 1 to {STEPS_SHOWN}: {STEPS_SHOWN} steps, nothing left to do",
        f"Wave {STEPS_SHOWN + 1}: 1 step: 1 ready",
        f"  ready: {STEPS_SHOWN + 1}",
    ]


def test_text_holds_no_control_characters_but_the_styles_that_are_asked_for() -> None:
    for line in as_text(evil(), everything=True):
        assert not any(category(letter) in ("Cc", "Cf", "Cs") for letter in line), ascii(line)
    styled = "".join(as_text(evil(), styled=lambda text, style: f"<{style}>{text}</>"))
    assert "<cyan>[>]</>" in styled
    assert "<red>[!]</>" in styled


# --- as Mermaid ----------------------------------------------------------------------------------------

_LABEL = r'"(?:[^"#\[\]{}<>|`;%]|#\d+;|#124;|<br/>)*"'
_LINES = re.compile(
    r"%% [^{}\n]*"
    r"|flowchart LR"
    rf"|  s\d+\[{_LABEL}\]:::(?:ready|{'|'.join(STATUSES)})"
    r"|  s\d+ (?:-->|-\.->)(?:\|[a-z, ]+\|)? s\d+"
    r"|  classDef \w+ [\w:#,-]+"
)


def test_every_line_of_mermaid_has_one_of_five_forms() -> None:
    text = as_mermaid(evil())
    lines = text.splitlines()
    assert [line for line in lines if not _LINES.fullmatch(line)] == []
    boxes = [line for line in lines if re.match(r"  s\d+\[", line)]
    assert len(boxes) == len(EVIL)
    assert sum(" s" in line and "-->" in line for line in lines if "[" not in line) == len(EVIL) - 1
    assert "#60;script#62;" in text
    assert "日本語" in text


def test_edges_of_mermaid_say_what_they_wait_for() -> None:
    text = as_mermaid(
        graph(step(1), step(2, Need(1, "merged", "cancel")), step(3, Need(1, "completed", "continue")))
    )
    assert "  s1 -->|merged, else cancel| s2\n" in text
    assert "  s1 -.->|else continue| s3\n" in text


def test_a_graph_that_mermaid_refuses_as_it_is_says_so() -> None:
    few = graph(*(step(num) for num in range(1, 40)))
    assert as_mermaid(few).count("%%") == 1
    many = graph(step(1), *(step(num, 1) for num in range(2, EDGES_MAX + 3)))
    text = as_mermaid(many)
    assert f"%% {EDGES_MAX + 1} edges: set maxEdges" in text
    assert "set maxTextSize" not in text
    longer = graph(*(step(num, title="x" * 60) for num in range(1, 1001)))
    noted = re.search(r"%% (\d+) characters: set maxTextSize", as_mermaid(longer))
    assert noted is not None
    assert int(noted[1]) >= len(as_mermaid(longer))


# --- as SVG --------------------------------------------------------------------------------------------


def test_the_picture_is_xml_without_scripts_or_links_and_holds_each_title() -> None:
    text = as_svg(evil())
    root = ElementTree.fromstring(text)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "defs", "marker", "path", "rect", "text", "g"}
    names = {name for element in root.iter() for name in element.attrib}
    assert not any(name.startswith("on") or "href" in name for name in names)
    style = root.find(f"{SVG}style")
    assert style is not None
    assert style.text is not None
    assert "prefers-color-scheme:dark" in style.text
    assert "url(" not in style.text
    titles = [group.findtext(f"{SVG}title") or "" for group in root.iter(f"{SVG}g")]
    assert any(title.startswith("3 <script>alert(1)</script>: ") for title in titles)
    assert any(title.startswith("11 日本語 🎉: ") for title in titles)
    assert not any(control in text for control in ("\x1b", "\x07", "\u202e", "\ufffe", "\uffff", "\ud800"))
    text.encode()


@pytest.mark.parametrize("seed", range(10))
def test_boxes_stand_apart_and_lanes_run_between_them(seed: int) -> None:
    found = random_graph(seed, 60)
    places = place(found, bends=True)
    corners = list(places.corners.values())
    assert len(corners) == 60
    for index, (left, top) in enumerate(corners):
        assert top + HEIGHT <= places.bottom
        for other_left, other_top in corners[index + 1 :]:
            assert abs(left - other_left) >= WIDTH or abs(top - other_top) >= HEIGHT
    assert places.lanes
    for left, middle in places.lanes.values():
        assert not any(left == x and y <= middle <= y + HEIGHT for x, y in corners)
    for node in found.nodes:
        for need in node.needs:
            points = list(places.through(need.num, node))
            assert len(points) == node.wave - found.by_num[need.num].wave
            xs = [x for x, _, _ in points]
            assert xs == sorted(xs)


def test_a_picture_of_many_steps_says_that_it_is_hard_to_read() -> None:
    readable = graph(*(step(num) for num in range(1, READABLE_MAX + 1)))
    assert "hard to read" not in as_svg(readable)
    assert as_svg(readable).count('<g class="step not_started"') == 1  # of the legend: all are ready
    crowded = graph(*(step(num, *([num - 1] if num > 1 else [])) for num in range(1, READABLE_MAX + 2)))
    assert f"{READABLE_MAX + 1} steps are hard to read as a picture" in as_svg(crowded)
    huge = graph(*(step(num, *([num - 1] if num % 100 else [])) for num in range(1, STEPS_MAX + 2)))
    text = as_svg(huge)
    ElementTree.fromstring(text)
    assert "too many for a box each" in text
    assert text.count(">Wave ") == len(huge.waves) == 100


def test_the_same_graph_is_drawn_the_same() -> None:
    assert as_svg(random_graph(3, 50)) == as_svg(random_graph(3, 50))
    assert FORMS == ("text", "mermaid", "svg")
