"""Give the talk: three chapters, one idea per screen, from the shipped runs alone.

The next key shows the picture of a question first, and moves on second. A second window shows the presenter's notes.
"""

from typing import Any

import streamlit as st

from dvae_core import recipes, runs
from dvae_core.runs import RunError
from pages.ui import handout_button, links, run_panel
from pages.ui import page as ui
from pages.ui.components.lectern import lectern
from pages.ui.components.playground import playground
from pages.ui.talk import screen
from pages.ui.talk.slides import CHAPTERS, NAMES, SLIDES, Slide

JUST_SHOW = "-"  # the answer of a room that only wanted to see
BESIDE_BUTTONS = 5 / 6  # of the width: the text of a slide that can be trained live


def current_slide() -> int:
    """Return the index of the slide in the link; the first one if the link names no slide."""
    name = st.query_params.get("stop", NAMES[0])
    return NAMES.index(name) if name in NAMES else 0


def open_slide(index: int) -> None:
    """Callback: put another slide into the link."""
    st.query_params["stop"] = NAMES[index]


def forward(at: int) -> None:
    """Callback: show the answer if a slide still shows its question; otherwise open the next slide."""
    slide = SLIDES[at]
    if slide.asks and not answer_to(slide):
        give_answer(slide, JUST_SHOW)
    else:
        open_slide(min(at + 1, len(SLIDES) - 1))


def act(name: str, event: dict[str, Any]) -> None:
    """Callback: do what a key, or another window, asks for."""
    at = current_slide()
    slide = SLIDES[at]
    if name == "next":
        forward(at)
    elif name == "back":
        open_slide(max(at - 1, 0))
    elif name == "answer" and event["option"] < len(slide.asks) and not answer_to(slide):
        give_answer(slide, slide.asks[event["option"]])
    elif name == "follow" and event["stop"] in NAMES:
        open_slide(NAMES.index(event["stop"]))
        give_answer(SLIDES[NAMES.index(event["stop"])], event["answer"])


def top_bar(at: int) -> None:
    """Show the title, and the buttons: all slides, maths, notes, back, next."""
    slide = SLIDES[at]
    with st.container(key="talk-top"):
        title, buttons = st.columns([5, 3], vertical_alignment="center")
    is_open = slide.question and not answer_to(slide)  # the title would give the answer away
    title.markdown(f"#### {f'{slide.chapter} · {CHAPTERS[slide.chapter - 1]}' if is_open else slide.title}")
    with buttons.container(horizontal=True, horizontal_alignment="right", gap="xsmall", key="talk-bar"):
        with st.popover(f"{at + 1} / {len(SLIDES)}", help="All slides", width="content"):
            all_slides(at)
        with st.popover("", icon=":material/function:", help="Maths", width="content", key=f"talk.maths.{slide.name}"):
            st.markdown(slide.maths)
        # The key closes it with the slide: notes left open would go on covering the picture.
        with st.popover(
            "" if screen.is_phone() else "Notes", icon=":material/sticky_note_2:", width="content",
            help="Notes, and the presenter's window", key=f"talk.notes.{slide.name}",
        ):  # fmt: skip
            notes_of(at)
            st.link_button(
                "Notes in a second window", f"/talk?stop={slide.name}&talk_view=presenter",
                icon=":material/open_in_new:",
                help="Put this window on the projector and the second one on your screen. They move together.",
            )  # fmt: skip
        steps(at)


def steps(at: int) -> None:
    """Show the buttons that move through the talk."""
    last = at + 1 == len(SLIDES) and not (SLIDES[at].question and not answer_to(SLIDES[at]))
    st.button(
        "Back", icon=":material/arrow_back:", help="Left arrow", on_click=open_slide, args=(max(at - 1, 0),),
        disabled=at == 0,
    )  # fmt: skip
    st.button(
        "Next", icon=":material/arrow_forward:", icon_position="right", help="Right arrow, Space or Page down",
        type="secondary" if last else "primary", on_click=forward, args=(at,), disabled=last,
    )  # fmt: skip


def all_slides(at: int) -> None:
    """List all slides, to jump to one."""
    for i, each in enumerate(SLIDES):
        if i == 0 or each.chapter != SLIDES[i - 1].chapter:
            st.caption(f"**{each.chapter} · {CHAPTERS[each.chapter - 1]}**")
        label = f"{i + 1}. {each.title}"
        st.button(label, key=f"talk.to.{i}", on_click=open_slide, args=(i,), type="tertiary", disabled=i == at)


def notes_of(at: int) -> None:
    """Show the presenter's notes, and the page to continue on."""
    st.markdown(SLIDES[at].notes)
    page, params = SLIDES[at].more
    ui.link(page, f"Continue on {next(p.title for p in ui.ORDER if p.name == page)}", keep=(), **params)
    handout_button.talk_button()


def presenter(at: int) -> None:
    """Show what the presenter needs and the room does not: the notes, the answer that is due, and the next slide."""
    slide = SLIDES[at]
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.caption(f"{at + 1} of {len(SLIDES)} · {CHAPTERS[slide.chapter - 1]}")
        st.markdown(f"### {slide.title}")
        if slide.question:
            given = answer_to(slide)
            shown = "asked, not shown yet" if not given else "shown" if given == JUST_SHOW else f"answered: “{given}”"
            st.markdown(f"**{slide.question}** ({shown})")
        st.markdown(slide.notes)
        is_shown = not slide.question or answer_to(slide)
        if caption := slide.caption():
            st.caption(f"{'On the screen' if is_shown else 'To be shown'}: {caption}")
        st.markdown(slide.maths)
        with st.container(horizontal=True):
            steps(at)
    with right:
        if at + 1 < len(SLIDES):
            following = SLIDES[at + 1]
            st.caption("Next")
            st.markdown(f"**{following.title}**")
            if following.question:
                st.markdown(f"It asks: {following.question}")


def answer_to(slide: Slide) -> str:
    """Return the room's answer: "" before there is one."""
    return st.session_state.get(f"talk.answer.{slide.name}", "")


def give_answer(slide: Slide, option: str) -> None:
    """Callback: keep the room's answer, so that the picture is shown."""
    st.session_state[f"talk.answer.{slide.name}"] = option


def ask(slide: Slide) -> None:
    """Ask the room, with nothing else on the screen."""
    st.space("large")
    st.markdown(f"## {slide.question}", text_alignment="center")
    st.space("medium")
    with st.container(horizontal=True, horizontal_alignment="center", key="talk-answers", gap="medium"):
        for i, option in enumerate(slide.options, 1):
            st.button(
                f"{i} · {option}", key=f"talk.answer.{slide.name}.{option}", on_click=give_answer, args=(slide, option)
            )
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="center"):
        st.button("Just show it", key="talk.show", type="tertiary", on_click=give_answer, args=(slide, JUST_SHOW))


def caption(slide: Slide) -> str:
    """Return the line under the picture; after a question, first which answer is right."""
    text, answer = slide.caption(), answer_to(slide)
    if not slide.question:
        return text
    given = "" if answer in ("", JUST_SHOW) else f"Your answer: “{answer}”. "
    verdict = "**Right.**" if answer == slide.right else f"**Answer: {slide.right}.**"
    return f"{given}{verdict} {text}"


@st.fragment
def played(link: str, name: str) -> None:
    """Show the playground; its settings stay out of the talk's link."""
    playground(link, lambda text: None, key=f"talk.playground.{name}")


def show(slide: Slide) -> None:
    """Show the picture, or what was started in its place: a training, or the playground."""
    key, play = f"talk.live.{slide.name}", f"talk.play.{slide.name}"
    if slide.play is not None and st.session_state.get(play):
        played(slide.play, slide.name)
        st.button("Back to the shipped models", key="talk.shipped", on_click=st.session_state.pop, args=(play,))
        return
    if st.session_state.get(key):
        trained = st.container()
        st.button("Back to the shipped models", key="talk.shipped", on_click=st.session_state.pop, args=(key,))
        with trained:
            (slide.watch or run_panel.seeds_live)(runs.find(st.session_state[key]), height=screen.room())
        return
    text = caption(slide)
    screen.keep_room(slide.title, text, share=BESIDE_BUTTONS if slide.live else 1.0)
    slide.demo()
    if not slide.live:
        st.markdown(text)
        return
    left, right = st.columns([BESIDE_BUTTONS, 1 - BESIDE_BUTTONS])
    left.markdown(text)
    with right.container(key="talk-live", gap="xsmall"):
        starts(slide, key, play)


def starts(slide: Slide, key: str, play: str) -> None:
    """Show the buttons that put the playground, or a training, in the place of the picture."""
    if slide.play is not None:
        st.button("Playground", icon=":material/experiment:", on_click=st.session_state.update, args=({play: True},))
    if st.button("Train it live", icon=":material/play_arrow:"):
        run = run_panel.begin(recipes.recipe(slide.live), f"{recipes.TITLES[slide.live]}, trained live")
        ui.remember("run", None)  # the talk's own pictures stay with the shipped runs
        if run is not None:  # otherwise the page shows the reason
            st.session_state[key] = run.id
            st.rerun()


at = current_slide()
slide = SLIDES[at]
ui.start("talk", "")
lectern(slide.name, answer_to(slide), act)
screen.style()
is_presenter = links.value("talk_view") == "presenter"
if not is_presenter:
    top_bar(at)
try:
    if is_presenter:
        presenter(at)
    elif slide.question and not answer_to(slide):
        ask(slide)
    else:
        show(slide)
except RunError as error:
    ui.problem(error)
