"""How large things are on the screen that the talk is given on."""

import streamlit as st

from pages.ui.components.lectern import screen_size

LARGE = (1600, 880)  # from this window on, all type grows by a half
GROWTH = 1.5
AROUND = 14.5  # rem that a slide needs above and below its picture: navigation, title, caption
SIDE = 2.5  # rem to the left and to the right of a picture
LEAST = 320  # pixels: lower pictures are not readable, so a smaller window scrolls
PHONE = 640  # pixels: a narrower window stacks panels


def type_size() -> float:
    """Return the size of the page's type, in pixels."""
    width, height = screen_size()
    base = float(st.get_option("theme.baseFontSize") or 16)
    return base * GROWTH if width >= LARGE[0] and height >= LARGE[1] and base < 22 else base


def room() -> int:
    """Return the height that a slide's picture has, in pixels."""
    return max(LEAST, round(screen_size()[1] - AROUND * type_size()))


def width() -> int:
    """Return the width that a slide's picture has, in pixels."""
    return screen_size()[0] - round(2 * (1 if is_phone() else SIDE) * type_size())


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
    side = 1 if is_phone() else SIDE
    st.html(
        f"""<style>
        html {{ font-size: {type_size():g}px !important; }}
        :root {{
            --dv-picture: {room() - 2 * round(type_size())}px; --dv-sides: {round(0.38 * room())}px;
            --dv-panel: {room() - 9 * round(type_size())}px; --dv-plane: {room() - 5 * round(type_size())}px;
            --dv-raster: {round(0.26 * room())}px; --dv-tuning: {round(0.33 * room())}px;
        }}
        [data-testid="stMainBlockContainer"] {{ padding-left: {side:g}rem; padding-right: {side:g}rem;
            padding-bottom: 0.5rem; }}
        .st-key-talk-bar button {{ min-height: 36px; padding: 0 10px; font-size: 15px; }}
        .st-key-talk-bar button p {{ font-size: 15px; }}
        .st-key-talk-answers button {{ min-height: 4.5rem; padding: 0 2rem; border-width: 2px; }}
        .st-key-talk-close p, .st-key-talk-close li, .st-key-talk-close table {{ font-size: max(1rem, 20px); }}
        .st-key-talk-close td, .st-key-talk-close th {{ padding: 0.3rem 0.5rem; }}
        .st-key-talk-answers button p {{ font-size: 1.5rem; }}
        </style>"""
    )
