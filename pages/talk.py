"""Give the talk: three chapters, one idea per screen, from the shipped runs alone. Arrow keys move between slides."""

import streamlit as st

from dvae_core import recipes, runs
from dvae_core.runs import RunError
from pages.ui import handout_button, run_panel
from pages.ui import page as ui
from pages.ui.talk.slides import CHAPTERS, NAMES, SLIDES, Slide

JUST_SHOW = "-"  # the answer of a room that only wanted to see


def current_slide() -> int:
    """Return the index of the slide in the link; the first one if the link names no slide."""
    name = st.query_params.get("stop", NAMES[0])
    return NAMES.index(name) if name in NAMES else 0


def open_slide(index: int) -> None:
    """Callback: put another slide into the link."""
    st.query_params["stop"] = NAMES[index]


def top_bar(at: int) -> None:
    """Show the title, and the buttons: all slides, maths, notes, back, next."""
    slide = SLIDES[at]
    title, buttons = st.columns(2, vertical_alignment="center")
    is_open = slide.question and not answer_to(slide)  # the title would give the answer away
    title.markdown(f"#### {f'{slide.chapter} · {CHAPTERS[slide.chapter - 1]}' if is_open else slide.title}")
    with buttons.container(horizontal=True, horizontal_alignment="right", gap="xsmall"):
        with st.popover(f"{at + 1} / {len(SLIDES)}", help="All slides", width="content"):
            for i, each in enumerate(SLIDES):
                if i == 0 or each.chapter != SLIDES[i - 1].chapter:
                    st.caption(f"**{each.chapter} · {CHAPTERS[each.chapter - 1]}**")
                label = f"{i + 1}. {each.title}"
                st.button(label, key=f"talk.to.{i}", on_click=open_slide, args=(i,), type="tertiary", disabled=i == at)
        with st.popover("", icon=":material/function:", help="Maths", width="content"):
            st.markdown(slide.maths)
        with st.popover("", icon=":material/sticky_note_2:", help="Presenter's notes", width="content"):
            st.markdown(slide.notes)
            page, params = slide.more
            ui.link(page, f"Continue on {next(p.title for p in ui.ORDER if p.name == page)}", keep=(), **params)
            handout_button.talk_button()
        st.button("Back", shortcut="left", on_click=open_slide, args=(max(at - 1, 0),), disabled=at == 0)
        last = at + 1 == len(SLIDES)
        st.button("Next", shortcut="right", type="primary", on_click=open_slide, args=(at + 1,), disabled=last)


def answer_to(slide: Slide) -> str:
    """Return the room's answer: "" before there is one."""
    return st.session_state.get(f"talk.answer.{slide.name}", "")


def give_answer(slide: Slide, option: str) -> None:
    """Callback: keep the room's answer, so that the picture is shown."""
    st.session_state[f"talk.answer.{slide.name}"] = option


def ask(slide: Slide) -> None:
    """Ask the room, with nothing else on the screen."""
    st.space("large")
    st.markdown(f"### {slide.question}", text_alignment="center")
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="center"):
        for option in (*slide.options, JUST_SHOW):
            shown = option == JUST_SHOW
            st.button(
                "Just show it" if shown else option, key=f"talk.answer.{slide.name}.{option}",
                type="tertiary" if shown else "secondary", on_click=give_answer, args=(slide, option),
            )  # fmt: skip


def caption(slide: Slide) -> None:
    """Show the line under the picture, after the room's answer if it gave one, and train the model on request."""
    left, right = st.columns([5, 1]) if slide.live else (st.container(), None)
    text, answer = slide.caption(), answer_to(slide)
    left.markdown(text if answer in ("", JUST_SHOW) else f"Your answer: “{answer}”. {text}")
    key = f"talk.live.{slide.name}"
    if right is not None and right.button("Train it live", icon=":material/play_arrow:"):
        run = run_panel.begin(recipes.recipe(slide.live), f"{recipes.TITLES[slide.live]}, trained live")
        st.session_state[key] = None if run is None else run.id
        ui.remember("run", None)  # the talk's own pictures stay with the shipped runs
    if st.session_state.get(key):
        run_panel.live(runs.find(st.session_state[key]))


at = current_slide()
slide = SLIDES[at]
ui.start("talk", "")
top_bar(at)
try:
    if slide.question and not answer_to(slide):
        ask(slide)
    else:
        slide.demo()
        caption(slide)
except RunError as error:
    ui.problem(error)
