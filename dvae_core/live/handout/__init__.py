"""The hand-out: one HTML file of a run, the talk or the playground, live in any browser, without server or network."""

from dvae_core.live.handout.document import Handout
from dvae_core.live.handout.of_playground import playground_handout
from dvae_core.live.handout.of_run import run_handout

__all__ = ["Handout", "playground_handout", "run_handout"]
