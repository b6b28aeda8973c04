"""The parts of a slide of the talk: a claim, a question, a picture, and notes for the presenter."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Slide:
    """One screen of the talk.

    Attributes:
        name: Identifies the slide in a link: /talk?stop=name.
        chapter: 1 to 4.
        title: The claim, in one sentence.
        demo: Draws the picture.
        caption: Returns the sentence under the picture; "" for none.
        notes: Notes for the presenter, shown on demand.
        maths: The formula, shown on demand.
        question: Asked before the picture is shown; "" for none.
        options: The answers to choose from.
        right: The option that the picture supports.
        votes: The answers to choose from beside a picture that is itself the question.
        more: The page to continue on, and its query parameters.
        live: Recipe that can be trained during the talk in less than 15 s of a quiet core, or "".
        watch: Draws that training; None draws the latents of every seed.
        play: What the playground shows in its place, as the link of its page holds it; None for no playground.
    """

    name: str
    chapter: int
    title: str
    demo: Callable[[], None]
    caption: Callable[[], str]
    notes: str
    maths: str
    question: str = ""
    options: tuple[str, ...] = ()
    right: str = ""
    votes: tuple[str, ...] = ()
    more: tuple[str, dict[str, str]] = ("traverse", {})
    live: str = ""
    watch: Callable[..., None] | None = None
    play: str | None = None

    @property
    def asks(self) -> tuple[str, ...]:
        """The answers that the room can give; () if the slide asks nothing."""
        return self.options or self.votes
