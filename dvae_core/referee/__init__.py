"""Judge latents from anywhere: arrays in, records out, each with its interval, its reference lines and its figure.

numpy arrays, torch tensors and pandas tables are accepted. Rows of tables are matched by their index; rows of arrays in
one call are the same rows in the same order. Latents of several seeds are a list, or an array [seed, row, latent].

    from dvae_core import referee
    print(referee.score(z_true, z_hat, u))
    referee.agreement([z_1, z_2, z_3]).figure().show()
"""

from dvae_core.referee.judging import Judgement, judge
from dvae_core.referee.records import (
    Agreement,
    Downstream,
    Ladder,
    Record,
    Scored,
    agreement,
    downstream,
    ladder,
    score,
)

__all__ = [
    "Agreement", "Downstream", "Judgement", "Ladder", "Record", "Scored", "agreement", "downstream", "judge", "ladder",
    "score",
]  # fmt: skip
