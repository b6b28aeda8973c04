"""Sizes on the screen on which the talk is given."""

import math

import streamlit as st

from pages.ui.components.lectern import screen_size

LARGE = (1600, 880)  # from this window on, all type grows by a half
GROWTH = 1.5
AROUND = 7.3  # rem above and below a picture without its text: navigation, gaps, edges
AROUND_PHONE = 14.5  # on a phone, which scrolls: with its text
TITLE, TEXT = 1.5, 1.6  # rem of a line of the title, and of the text under the picture
TITLE_WIDE, TEXT_WIDE = 0.6, 0.45  # rem of a character, on average (measured: .57 and .42)
BUTTONS = (320, 7)  # pixels, and rem on top of them, of the buttons beside the title
LIVE = 88  # pixels: the buttons beside the text, of which the lower one trains live
SIDE = 1  # rem to the left and to the right of a picture
LEAST = 320  # pixels: lower pictures are not readable, so a smaller window scrolls
PHONE = 640  # pixels: a narrower window stacks panels


def type_size() -> float:
    """Return the size of the page's type, in pixels."""
    width, height = screen_size()
    base = float(st.get_option("theme.baseFontSize") or 16)
    return base * GROWTH if width >= LARGE[0] and height >= LARGE[1] and base < 22 else base


def keep_room(title: str, text: str, *, share: float = 1.0) -> None:
    """Record the text above and below the slide's picture, which gets the remaining height.

    Args:
        title: The title.
        text: The text under the picture, which has this share of the width.
        share: See `text`.
    """
    size = type_size()
    beside = width() if is_phone() else width() - BUTTONS[0] - BUTTONS[1] * size  # of the title's line
    lines = math.ceil(len(title) * TITLE_WIDE * size / beside)
    below = math.ceil(len(text.replace("**", "")) * TEXT_WIDE * size / (share * width())) if text else 0
    beside_text = LIVE / size if share < 1 else 0
    st.session_state["talk.text"] = TITLE * lines + max(TEXT * below, beside_text)
    large = size if is_phone() else max(size, 20, min(room() / 21, 1.5 * size))  # type of a slide that is a table
    st.html(
        f"""<style>
        :root {{
            --dv-room: {room()}px; --dv-sides: {round(0.38 * room())}px;
            --dv-picture: calc(var(--dv-room) - 2rem); --dv-panel: calc(var(--dv-room) - 7.2rem);
            --dv-plane: calc(var(--dv-room) - 6.2rem);
        }}
        @media (min-width: {PHONE}px) {{
            .st-key-talk-cells {{
                --dv-share: 2.4fr; --dv-rates: "rates tuning" "raster curves" "chips chips" "status status";
                --dv-raster: calc(var(--dv-room) - 7.6rem); --dv-tuning: calc(var(--dv-room) - 7.6rem);
            }}
        }}
        .st-key-talk-ica {{ --dv-panel: calc(var(--dv-room) - 9.3rem); }}
        .st-key-talk-time {{ --dv-panel: calc(var(--dv-room) - 10.7rem); }}
        .st-key-talk-close p, .st-key-talk-close li, .st-key-talk-close table {{ font-size: {large:g}px; }}
        </style>"""
    )


def room() -> int:
    """Return the height that a slide's picture has, in pixels."""
    taken = AROUND_PHONE if is_phone() else AROUND + st.session_state.get("talk.text", TITLE + 2 * TEXT)
    return max(LEAST, round(screen_size()[1] - taken * type_size()))


def width() -> int:
    """Return the width that a slide's picture has, in pixels."""
    return screen_size()[0] - round(2 * SIDE * type_size())


def is_phone() -> bool:
    """Whether the window is so narrow that panels are stacked."""
    return screen_size()[0] < PHONE


def columns() -> int:
    """Return how many panels stand side by side."""
    return 2 if is_phone() else 4


def figure_type() -> float:
    """Return the size of the type in a figure, in pixels: that of the page, or less where panels are narrow."""
    return 12.0 if is_phone() else type_size()


def style() -> None:
    """Set the type of the page: larger on a large screen, and answers that can be hit and read from the back row."""
    st.html(
        f"""<style>
        html {{ font-size: {type_size():g}px !important; }}
        [data-testid="stMainBlockContainer"] {{ padding: 3.9rem {SIDE}rem 0.5rem; }}
        [data-testid="stMain"] h4 {{ font-size: 1.25rem; padding: 0.2rem 0 1rem; }}
        .st-key-talk-bar button, .st-key-talk-live button {{ min-height: 36px; padding: 0 10px; }}
        .st-key-talk-bar button, .st-key-talk-live button p, .st-key-talk-bar button p {{ font-size: 15px; }}
        .st-key-talk-answers button {{ min-height: 4.5rem; padding: 0 2rem; border-width: 2px; }}
        .st-key-talk-close td, .st-key-talk-close th {{ padding: 0.3rem 0.5rem; }}
        .st-key-talk-answers button p {{ font-size: 1.5rem; }}
        @media (min-width: {PHONE}px) {{
            .st-key-talk-top [data-testid="stColumn"]:first-child {{ flex: 1 1 0; }}
            .st-key-talk-top [data-testid="stColumn"]:last-child {{ flex: 0 0 calc({BUTTONS[0]}px + {BUTTONS[1]}rem); }}
        }}
        @media (max-width: {PHONE - 1}px) {{
            .st-key-talk-bar button {{ padding: 0 5px; }}
        }}
        </style>"""
    )
