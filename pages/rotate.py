"""Chapter 2: turn the Gaussian prior. Other latents, the same data, the same likelihood."""

import streamlit as st

from dvae_core import figures, jobs
from dvae_core.analysis import read
from dvae_core.runs import Run, RunError
from dvae_core.traverse import Plan
from pages.ui import code
from pages.ui import page as ui
from pages.ui.components.rotor import rotor
from pages.ui.components.store import ship

PLAIN = r"""Let $M$ be orthogonal and $\tilde z = M z$. If $p(z) = N(0, I)$ then $p(\tilde z) = N(0, I)$ again."""
