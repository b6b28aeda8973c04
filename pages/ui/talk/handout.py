"""The talk as one HTML file: a scroll of its slides, with what each of them shows in the app.

Every slide is drawn once without a browser, and what it drew goes into the file: texts, live parts with their data, and
figures. So the talk has one home, and the file shows the same words and numbers as the app.
"""

import json
import logging
from collections.abc import Iterator
from typing import Any

from streamlit.testing.v1 import AppTest

from dvae_core import runs
from dvae_core.figures.svg import chart
from dvae_core.live.handout import of_run
from dvae_core.live.handout.document import Chart, Decoder, Facts, Handout, Live, Part, Rows, Section
from dvae_core.live.modules import HERE
from dvae_core.runs import RunError
from pages.ui.talk.slides import CHAPTERS, SLIDES, Slide

PATIENCE_S = 120.0
TITLE = "Do the latents mean anything?"


def talk_handout() -> Handout:
    """Return the talk's hand-out.

    Raises:
        RunError: If a shipped run is missing or damaged.
    """
    bare = logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context")
    bare.setLevel(logging.ERROR)  # it warns about every call outside a server, which is intended here
    sections = [_section(slide) for slide in SLIDES]
    live = [part for section in sections for part in section.parts if isinstance(part, Live)]
    needed = {part.data.get("plan") for part in live}
    decoders: list[Decoder] = []
    origins: list[Part] = []
    for run in runs.examples():
        plan = of_run.drawable(run)
        if plan.tree["id"] in needed:
            decoders.append(of_run.all_members(run, plan))
        sections_of_run = of_run.scores(run)
        tables = [part for section in sections_of_run for part in section.parts if isinstance(part, Rows)]
        note = of_run.precision(decoders[-1]) if plan.tree["id"] in needed else "figures only"
        origins += [f"**{run.title}**", Facts(of_run.provenance_facts(run, [note]), of_run.settings(run)), *tables[:2]]
    missing = needed - {decoder.plan.tree["id"] for decoder in decoders} - {None}
    if missing:
        raise RunError(f"The talk draws the decoder {missing.pop()}, which belongs to no shipped run.")
    lead = ["The talk as one file. Everything that moves is a trained model in this file; drag it."]
    worst = max((decoder.difference for decoder in decoders), default=0.0)
    notes = [f"{len(SLIDES)} slides, {len(live)} live parts; E[x|z] changes by at most {worst:.1e} of the range of x"]
    return Handout(TITLE, lead, [*sections, Section("Where this comes from", origins)], decoders, notes)


def _section(slide: Slide) -> Section:
    chapter = f"{slide.chapter} · {CHAPTERS[slide.chapter - 1]}"
    question, options, parts = slide.question, slide.options, []
    at = AppTest.from_function(_script, kwargs={"name": slide.name}, default_timeout=PATIENCE_S).run()
    _refuse_problems(slide, at)
    if slide.votes:  # the picture is the question; the last answer reveals as any does
        question, options = slide.title, slide.votes
        at.button[-1].click().run()
        _refuse_problems(slide, at)
    parts = [*_parts(at), slide.caption()]
    right = getattr(slide, "right", "")
    if right:
        parts.insert(0, f"The picture supports: **{right}**.")
    return Section(slide.title, [part for part in parts if part], chapter, question, options)


def _script(name: str) -> None:
    from pages.ui.talk.slides import SLIDES

    next(slide for slide in SLIDES if slide.name == name).demo()


def _refuse_problems(slide: Slide, at: AppTest) -> None:
    problems = [element.message for element in at.exception] + [element.value for element in at.error]
    if problems:
        raise RunError(f"Slide {slide.name} cannot be drawn: {problems[0]}")


def _parts(at: AppTest) -> Iterator[Part]:
    """Yield what a slide drew, in order; buttons, links and choices of the app are left out."""
    figures = iter(at.session_state["figures"].values() if "figures" in at.session_state else ())
    for node in at.main:
        kind = getattr(node, "type", "")
        proto: Any = getattr(node, "proto", None)
        if kind == "plotly_chart":
            yield Chart(chart(next(figures)))
        elif kind == "markdown":
            yield from _markdown(str(node.value))  # type: ignore[union-attr]
        elif kind == "bidi_component":
            name = proto.component_name.removeprefix("dvae_")
            if name != "store" and (HERE / f"{name}.js").is_file():  # the others show nothing
                yield Live(name, json.loads(proto.json)[0])


def _markdown(text: str) -> Iterator[Part]:
    """Yield the paragraphs and tables of a markdown text."""
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        if lines and all(line.startswith("|") for line in lines):
            rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
            yield Rows("", rows[0], rows[2:])
        elif lines and all(line.startswith("- ") for line in lines):
            yield from (f"\u2022 {line[2:]}" for line in lines)
        elif lines:
            yield " ".join(lines)
