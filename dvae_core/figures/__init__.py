"""Plotly figures from arrays and tables. No files, no models, no randomness.

Each colour has one meaning on every page (`COLOURS`) and is paired with a second cue: a symbol, a dash, a hatch or a
word. Titles state the finding. Backgrounds are transparent and text has no colour of its own, so the figures fit the
app's light and dark themes. Large inputs are thinned to evenly spaced rows, and the subtitle says so. If there is too
little to draw, the figure contains one sentence instead.
"""

from dvae_core.figures.agreement import (
    agreement_map,
    decoding,
    ica_by_layers,
    ladder_chart,
    stability,
    theorem_map,
    wrong_axes,
)
from dvae_core.figures.any_prior import QUARTERS, stage
from dvae_core.figures.arrows import seed_arrows
from dvae_core.figures.cells import cells, decoded
from dvae_core.figures.comparison import comparison
from dvae_core.figures.conditions import kinds_of_u_lines, natural_parameters, prior_curves, singular_values
from dvae_core.figures.data import (
    column_histograms,
    latents_over_time,
    picture_sheet,
    recording,
    split_over_time,
    tuning_curves,
    variance_spectrum,
)
from dvae_core.figures.hidden import hidden_recovery
from dvae_core.figures.literature import factor_map
from dvae_core.figures.recovery import (
    bound_against_score,
    correlation_matrices,
    mcc_lines,
    recovery_scatter,
    worlds_strip,
)
from dvae_core.figures.rotation import (
    bend_curves,
    is_trusted,
    largest_change,
    posterior_ellipses,
    rotation_curve,
    rotation_story,
    which_is_true,
)
from dvae_core.figures.scatter import (
    POINTS,
    data_scatter,
    four_panels,
    latent_scatter,
    linked_panels,
    projected,
    seed_panels,
)
from dvae_core.figures.straight import worlds_unmixed
from dvae_core.figures.study import (
    dimensions,
    known_and_unknown,
    model_label,
    rank_correlations,
    score_against_beta,
    variance_bars,
)
from dvae_core.figures.style import COLOURS, HUES, SYMBOLS, hue_colours, page_of, sentence
from dvae_core.figures.training import kl_bars, training_curves, training_split

__all__ = [
    "COLOURS",
    "HUES",
    "POINTS",
    "QUARTERS",
    "SYMBOLS",
    "agreement_map",
    "bend_curves",
    "bound_against_score",
    "cells",
    "column_histograms",
    "comparison",
    "correlation_matrices",
    "data_scatter",
    "decoded",
    "decoding",
    "dimensions",
    "factor_map",
    "four_panels",
    "hidden_recovery",
    "hue_colours",
    "ica_by_layers",
    "is_trusted",
    "kinds_of_u_lines",
    "kl_bars",
    "known_and_unknown",
    "ladder_chart",
    "largest_change",
    "latent_scatter",
    "latents_over_time",
    "linked_panels",
    "mcc_lines",
    "model_label",
    "natural_parameters",
    "page_of",
    "picture_sheet",
    "posterior_ellipses",
    "prior_curves",
    "projected",
    "rank_correlations",
    "recording",
    "recovery_scatter",
    "rotation_curve",
    "rotation_story",
    "score_against_beta",
    "seed_arrows",
    "seed_panels",
    "sentence",
    "singular_values",
    "split_over_time",
    "stability",
    "stage",
    "theorem_map",
    "training_curves",
    "training_split",
    "tuning_curves",
    "variance_bars",
    "variance_spectrum",
    "which_is_true",
    "worlds_strip",
    "worlds_unmixed",
    "wrong_axes",
]
