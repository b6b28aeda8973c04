"""The slides of the talk, a module for each chapter.

`demos.py` draws the pictures of shipped runs and `worked.py` those that are computed on the spot, `captions.py`
writes the sentences that depend on numbers, and `pages/talk.py` shows one slide at a time.
"""

from pages.ui.talk.slides import bad_news, just_do_it, rescue, without_u
from pages.ui.talk.slides.slide import Slide as Slide

CHAPTERS = ("Just do it", "Bad news", "Rescue", "Without u")
SLIDES = (*just_do_it.SLIDES, *bad_news.SLIDES, *rescue.SLIDES, *without_u.SLIDES)
NAMES = tuple(slide.name for slide in SLIDES)
