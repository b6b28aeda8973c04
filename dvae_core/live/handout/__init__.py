"""The hand-out: one HTML file of a run or of the talk, live in any browser, without a server or a network."""

from dvae_core.live.handout.document import Handout
from dvae_core.live.handout.of_run import run_handout

__all__ = ["Handout", "run_handout"]
