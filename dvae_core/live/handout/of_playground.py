"""The hand-out of the playground: a population of models that learns in the file itself, without a server."""

from dvae_core.live.handout.document import Handout, Live, Section

LEAD = "Do eight seeds of one small model find the same latents? The address holds what is set: copy it to share."


def playground_handout(link: str = "") -> Handout:
    """Return the playground in one file.

    Args:
        link: What it opens with, as the page's address holds it; "" for the first experiment.
    """
    notes = ["trains in the browser, without a network"]
    live = Live("playground", {"link": link, "rev": 1})
    return Handout("Playground", [LEAD], [Section("", [live])], notes=notes, is_wide=True)
