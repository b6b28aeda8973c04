"""InfoMEC: modularity, compactness and explicitness measured by information, with continuous latents left unbinned."""

from typing import NamedTuple

import numpy as np

from dvae_core.metrics.classes import classes, entropy
from dvae_core.metrics.drawing import Factors, Latents, drawn, noting, score_of, sklearn_version
from dvae_core.metrics.score import Score, checked, standardise

NEIGHBOURS = 10
PRUNED = 1 / 20  # of the widest latent's range; narrower ones count as inactive


class InfoMec(NamedTuple):
    """The three scores of InfoMEC, from one matrix of normalised mutual information."""

    modularity: Score
    compactness: Score
    explicitness: Score


def infomec(z_true: Factors, z_hat: Latents, *, rows: int = 10_000, seed: int = 0) -> InfoMec:
    """Modularity, compactness and explicitness by information, for factors that are classes.

        N_kj = I(v_k; r_j) / H(v_k)
        InfoM = (mean_j max_k N_kj / sum_k N_kj - 1/K) / (1 - 1/K)
        InfoC = (mean_k max_j N_kj / sum_j N_kj - 1/d) / (1 - 1/d)
        InfoE = mean_k (H_null - H_logit) / H_null

    I is estimated from the 10 nearest neighbours of the standardised latent. j runs over the d active latents, those
    whose range is more than a twentieth of the widest. H_logit is the log loss of an unpenalised logistic regression
    with balanced classes on all latents, H_null that of one on a constant, both on the rows they are fitted on, as in
    the authors' code. InfoM is blind to how much a latent knows and to duplicates, InfoC to latents that mix factors,
    InfoE to every invertible affine map.

    Two departures from that code, where it divides by zero: a latent that informs about no factor counts as 1/K and a
    factor that no latent informs about as 1/d, so that both add nothing; with a single active latent InfoC is 1.

    Args:
        z_true: Factors, classes or numbers (cut into 20 bins).
        z_hat: Posterior means, same rows.
        rows: Largest number of rows used.
        seed: Seed for drawing the rows, and for the tiny noise that the estimate adds to break ties.

    Returns:
        Three Scores in [0, 1] that share the matrix N; all are 0 if no latent is active. InfoM and InfoC are at least
        0, InfoE can be slightly below where the fit stopped early.

    Raises:
        ValueError: As for `mcc`; also with a single factor.

    References:
        Hsu et al. 2023, Disentanglement via latent quantization.
    """
    from sklearn.feature_selection import mutual_info_classif

    z_true, z_hat = checked(z_true, z_hat, "pearson")
    K = z_true.shape[1]
    if K < 2:
        raise ValueError("InfoMEC compares factors, and there is only one; use another score.")
    chosen = drawn(len(z_true), rows, seed)
    v, notes = classes(z_true[chosen])
    r = z_hat[chosen].astype(float)
    width = np.ptp(r, axis=0)
    active = np.flatnonzero(width > PRUNED * width.max())
    if len(active) < r.shape[1]:
        notes = (*notes, f"{r.shape[1] - len(active)} latents vary too little and are left out.")
    standard = standardise(r)
    shares = np.zeros((K, r.shape[1]))
    for k, codes in enumerate(v.T):
        for j in active:
            (nats,) = mutual_info_classif(standard[:, [j]], codes, n_neighbors=NEIGHBOURS, random_state=seed)
            shares[k, j] = nats / entropy(np.bincount(codes))
    how = f"{NEIGHBOURS} nearest neighbours, {sklearn_version()}"
    if len(active) == 1:
        notes = (*notes, "Only one latent is active, so no factor can be spread over several.")
    modular, compact = np.zeros(1), np.zeros(K)
    if len(active):
        modular = _above_even(_largest_share(shares[:, active]), K)
        compact = np.ones(K) if len(active) == 1 else _above_even(_largest_share(shares[:, active].T), len(active))
    explicit, slow = _explicitness(standard, v)
    return InfoMec(
        score_of(modular, shares, how, notes, "how much each latent knows, and to duplicated latents",
                 "not 0: a latent that knows nothing has a best factor by luck", per_factor=False),
        score_of(compact, shares, how, notes, "latents that mix several factors",
                 "not 0: a factor of which nothing is known has a best latent by luck"),
        score_of(explicit, shares, f"logistic regression, {sklearn_version()}", (*notes, *slow),
                 "any invertible affine map of the latents", "about 0, above it on few rows"),
    )  # fmt: skip


def _largest_share(N: np.ndarray) -> np.ndarray:
    """Return for each column the share of its largest entry in its sum; an even share if the column is 0."""
    total = N.sum(0)
    return np.where(total > 0, N.max(0) / np.where(total > 0, total, 1.0), 1 / len(N))


def _above_even(share: np.ndarray, parts: int) -> np.ndarray:
    """Return shares rescaled so that an even one becomes 0 and a whole one 1."""
    return (share - 1 / parts) / (1 - 1 / parts)


def _explicitness(r: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return for each factor the share of its entropy that a logistic regression on all latents removes."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    def loss(given: np.ndarray, codes: np.ndarray) -> float:
        machine = LogisticRegression(C=np.inf, class_weight="balanced", max_iter=100).fit(given, codes)
        return float(log_loss(codes, machine.predict_proba(given), labels=machine.classes_))

    out = []
    with noting() as slow:
        for codes in v.T:
            null = loss(np.zeros_like(r), codes)
            out.append((null - loss(r, codes)) / null)
    return np.array(out), slow
