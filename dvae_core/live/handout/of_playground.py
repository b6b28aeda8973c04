"""The hand-out of the playground: a population of models that learns in the file itself, without a server."""

from dvae_core.live.handout.document import Handout, Live, Section

LEAD = "Do eight seeds of one small model find the same latents? The address holds the settings: copy it to share them."


def playground_handout(link: str = "") -> Handout:
    """Return the playground in one file.

    Args:
        link: The settings it opens with, as the page's address holds them; "" for the first experiment.
    """
    notes = ["trains in the browser, without a network"]
    live = Live("playground", {"link": link, "rev": 1})
    return Handout("Playground", [LEAD], [Section("", [live])], notes=notes, is_wide=True)
