"""Give the talk: three chapters, one idea a screen, from the shipped runs alone. Arrow keys go back and on."""

import streamlit as st

from dvae_core import recipes, runs
from dvae_core.runs import RunError
from pages.ui import page as ui
from pages.ui import run_panel
from pages.ui.talk import demos
from pages.ui.talk.slides import CHAPTERS, NAMES, STOPS, Stop


def here() -> int:
    """Return the index of the link's stop; an unknown one is the first."""
    wanted = st.query_params.get("stop", NAMES[0])
    return NAMES.index(wanted) if wanted in NAMES else 0


def go(index: int) -> None:
    """Callback: put another stop into the link."""
    st.query_params["stop"] = NAMES[index]


def bar(at: int) -> None:
    """The claim, and the ways from here: any stop, maths, notes, back, on."""
    stop = STOPS[at]
    claim, ways = st.columns(2, vertical_alignment="center")
    open_question = stop.question and not said(stop)  # the claim would give the answer away
    claim.markdown(f"#### {f'{stop.chapter} · {CHAPTERS[stop.chapter - 1]}' if open_question else stop.claim}")
    with ways.container(horizontal=True, horizontal_alignment="right", gap="xsmall"):
        with st.popover(f"{at + 1} / {len(STOPS)}", help="All stops", width="content"):
            for i, each in enumerate(STOPS):
                if i == 0 or each.chapter != STOPS[i - 1].chapter:
                    st.caption(f"**{each.chapter} · {CHAPTERS[each.chapter - 1]}**")
                name = f"{i + 1}. {each.claim}"
                st.button(name, key=f"talk.to.{i}", on_click=go, args=(i,), type="tertiary", disabled=i == at)
        with st.popover("", icon=":material/function:", help="Maths", width="content"):
            st.markdown(stop.maths)
        with st.popover("", icon=":material/sticky_note_2:", help="Presenter's notes", width="content"):
            st.markdown(stop.notes)
            page, params = stop.more
            ui.link(page, f"Go on, on {next(p.title for p in ui.ORDER if p.name == page)}", keep=(), **params)
        st.button("Back", shortcut="left", on_click=go, args=(max(at - 1, 0),), disabled=at == 0)
        last = at + 1 == len(STOPS)
        st.button("Next", shortcut="right", type="primary", on_click=go, args=(at + 1,), disabled=last)


def asked(stop: Stop) -> bool:
    """Ask the room first, alone on the screen; return whether the picture may be shown."""
    if not stop.question or said(stop):
        return True
    key = f"talk.answer.{stop.name}"
    st.space("large")
    st.markdown(f"### {stop.question}", text_alignment="center")
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="center"):
        for option in stop.options:
            st.button(option, key=f"{key}.{option}", on_click=answer, args=(stop, option))
        st.button("Just show it", key=f"{key}.show", type="tertiary", on_click=answer, args=(stop, "-"))
    return False


def said(stop: Stop) -> str:
    """Return what the room answered: "" before, "-" if it only wanted to see."""
    return st.session_state.get(f"talk.answer.{stop.name}", "")


def answer(stop: Stop, option: str) -> None:
    """Callback: keep what the room said; the picture follows."""
    st.session_state[f"talk.answer.{stop.name}"] = option


def say(stop: Stop) -> None:
    """One line under the picture: what the room said, what there is to see, and training it here and now."""
    words, live = st.columns([5, 1]) if stop.live else (st.container(), None)
    words.markdown(stop.see if said(stop) in ("", "-") else f"You said “{said(stop)}”. **{stop.see}**")
    key = f"talk.live.{stop.name}"
    if live is not None and live.button("Train it live", icon=":material/play_arrow:"):
        run = run_panel.begin(recipes.recipe(stop.live), f"{recipes.TITLES[stop.live]}, trained live")
        st.session_state[key] = None if run is None else run.id
        ui.remember("run", None)  # the talk's own pictures stay with the shipped runs
    if st.session_state.get(key):
        run_panel.live(runs.find(st.session_state[key]))


at = here()
ui.start("talk", "")
bar(at)
try:
    if asked(STOPS[at]):
        getattr(demos, STOPS[at].scene)()
        say(STOPS[at])
except RunError as error:
    ui.problem(error)
