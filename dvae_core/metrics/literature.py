"""Scores of the disentanglement literature for factors that are classes, as disentanglement_lib defines them.

Codes are posterior means; logarithms are natural. A factor with at most 64 distinct values, each with 4 rows or more,
is treated as classes. Any other factor is numeric and is cut into 20 bins of equal width (or predicted by regression,
if a docstring says so). There are two differences: rows are drawn by NumPy's default_rng, and scores that need
interventions look up rows that share a class instead of drawing new pictures, so the rows should come from (nearly)
independent factors.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from dvae_core.metrics.classes import class_codes, classes, entropy, information
from dvae_core.metrics.score import Score, checked, standardise

ACTIVE_STD = 0.05  # FactorVAE's threshold
BATCH = 64  # rows behind one vote of the interventional scores
FAST = {"mig": 2000, "modularity": 2000, "dci": (1000, 500), "sap": (2000, 1000), "explicitness": (1000, 500),
        "factor_vae": (700, 350), "beta_vae": (1000, 500)}  # disent's sizes, if it defines them  # fmt: skip

Factors = Float[np.ndarray, "n d_z"]
Latents = Float[np.ndarray, "n d_hat"]
ROTATION = "order, sign and scale of the latents; not to rotation"


def disentanglement(z_true: Factors, z_hat: Latents, *, fast: bool = True, seed: int = 0) -> dict[str, Score]:
    """Return every score of this module by name, as listed in the tables of the literature.

    Each score has its own blind spots, and they disagree with one another, as Locatello et al. 2019 found.

    Args:
        z_true: Factors, classes or numbers.
        z_hat: Posterior means, same rows.
        fast: Use the sizes of disent (DCI on 1,000 + 500 rows, SAP on 2,000 + 1,000, ...), which take seconds. The
            original sizes (10,000 + 5,000) take minutes.
        seed: Seed for drawing the rows.

    Returns:
        mig, dci_disentanglement, dci_completeness, dci_informativeness, sap, modularity, explicitness, factor_vae,
        beta_vae.

    Raises:
        ValueError: As for `mcc`.
    """
    few: dict[str, Any] = FAST if fast else {}

    def sizes(name: str) -> dict[str, Any]:
        return {"seed": seed} | ({"rows" if name in ("mig", "modularity") else "sizes": few[name]} if few else {})

    parts = dci(z_true, z_hat, **sizes("dci"))
    return {
        "mig": mig(z_true, z_hat, **sizes("mig")),
        "dci_disentanglement": parts.disentanglement,
        "dci_completeness": parts.completeness,
        "dci_informativeness": parts.informativeness,
        "sap": sap(z_true, z_hat, **sizes("sap")),
        "modularity": modularity(z_true, z_hat, **sizes("modularity")),
        "explicitness": explicitness(z_true, z_hat, **sizes("explicitness")),
        "factor_vae": factor_vae(z_true, z_hat, **sizes("factor_vae")),
        "beta_vae": beta_vae(z_true, z_hat, **sizes("beta_vae")),
    }


# --- from mutual information ---


def mig(z_true: Factors, z_hat: Latents, *, rows: int = 10_000, seed: int = 0) -> Score:
    """Mutual information gap: does one latent know much more about a factor than the next best?

        MIG = mean_k [I(r_(1); v_k) - I(r_(2); v_k)] / H(v_k)

    Each latent is cut into 20 bins of equal width between its smallest and largest value; I and H are plug-in
    estimates. MIG is blind to a latent that mixes several factors, as long as it leads in each by the same gap. It is
    not blind to rotation. A factor with more than 20 evenly used classes cannot reach 1, since 20 bins hold at most
    log 20 nats.

    Args:
        z_true: Factors, classes or numbers (cut into 20 bins).
        z_hat: Posterior means, same rows.
        rows: Largest number of rows used; they are drawn without replacement.
        seed: Seed for drawing the rows.

    Returns:
        Score in [0, 1]; `matrix` holds I / H.

    Raises:
        ValueError: As for `mcc`.

    References:
        Chen et al. 2018 (beta-TCVAE).
    """
    z_true, z_hat = checked(z_true, z_hat, "pearson")
    chosen = _drawn(len(z_true), rows, seed)
    v, notes = classes(z_true[chosen])
    shares = information(v, z_hat[chosen]) / np.array([entropy(np.bincount(c)) for c in v.T])[:, None]
    top = -np.sort(-np.column_stack([shares, np.zeros(len(shares))]), axis=1)
    return _score(top[:, 0] - top[:, 1], shares, "plug-in, 20 bins", notes, ROTATION,
                  "about 0 for latents that know nothing of the factors")  # fmt: skip


def modularity(z_true: Factors, z_hat: Latents, *, rows: int = 10_000, seed: int = 0) -> Score:
    """Modularity: does each latent know about only one factor?

        mod_j = 1 - sum_{k not the best} m_jk^2 / (max_k m_jk^2 (K - 1)),   m_jk = I(r_j; v_k)

    The mean runs over all latents, and a latent that knows nothing at all counts as 0. Modularity is blind to how much
    a latent knows, and to several latents that know the same factor.

    Args:
        z_true: Factors, classes or numbers (cut into 20 bins).
        z_hat: Posterior means, same rows.
        rows: Largest number of rows used.
        seed: Seed for drawing the rows.

    Returns:
        Score in [0, 1]; `matrix` holds I in nats, `per_factor` is empty, because the score is a mean over latents.

    Raises:
        ValueError: As for `mcc`; also with a single factor.

    References:
        Ridgeway & Mozer 2018.
    """
    z_true, z_hat = checked(z_true, z_hat, "pearson")
    if z_true.shape[1] < 2:
        raise ValueError("Modularity compares factors, and there is only one; use another score.")
    chosen = _drawn(len(z_true), rows, seed)
    v, notes = classes(z_true[chosen])
    m = information(v, z_hat[chosen])
    best = np.square(m).max(0)
    rest = np.square(m).sum(0) - best
    each = np.where(best > 0, 1 - rest / np.where(best > 0, best, 1) / (z_true.shape[1] - 1), 0.0)
    return _score(each, m, "plug-in, 20 bins", notes, "how much each latent knows, and to duplicated latents",
                  "not 0: latents that know nothing have a best factor by luck", per_factor=False)  # fmt: skip


# --- from predictors ---


class Dci(NamedTuple):
    """The three scores of DCI, from one set of predictors."""

    disentanglement: Score
    completeness: Score
    informativeness: Score


def dci(z_true: Factors, z_hat: Latents, *, sizes: tuple[int, int] = (10_000, 5_000), seed: int = 0) -> Dci:
    """Disentanglement, completeness and informativeness, from gradient boosted trees that predict factors from latents.

        R_jk = importance of latent j for factor k
        D = sum_j rho_j (1 - H_K(R_j.)),  C = sum_k rho'_k (1 - H_d(R_.k)),  I = mean held-out accuracy

    D is high if each latent matters for only one factor, C if each factor needs only one latent. Entropies are in base
    K and d, after adding 1e-11. The predictor is scikit-learn's GradientBoostingClassifier with its defaults. A numeric
    factor gets the regressor, and its accuracy is R^2 (as in the paper; disentanglement_lib has only classes). DCI is
    blind to monotone changes of each latent, but not to rotation.

    Args:
        z_true: Factors, classes or numbers.
        z_hat: Posterior means, same rows.
        sizes: Rows to fit on and rows to test on; with fewer rows than both, two thirds and one third.
        seed: Seed for drawing the rows and for the trees.

    Returns:
        Three Scores that share the matrix of importances, d_z by d_hat.

    Raises:
        ValueError: As for `mcc`.

    References:
        Eastwood & Williams 2018.
    """
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    z_true, z_hat = checked(z_true, z_hat, "pearson")
    train, test, notes = _parts(len(z_true), sizes, seed)
    importance, fitted, right = [], [], []
    for column in z_true.T:
        v = class_codes(column)
        kind = GradientBoostingRegressor if v is None else GradientBoostingClassifier
        v = standardise(column[:, None])[:, 0] if v is None else v
        if np.ptp(v[train]) == 0:
            raise ValueError("A factor is constant on the rows that DCI is fitted on; use more rows.")
        trees = kind(random_state=seed).fit(z_hat[train], v[train])
        importance.append(np.abs(trees.feature_importances_))
        fitted.append(trees.score(z_hat[train], v[train]))
        right.append(trees.score(z_hat[test], v[test]))
    R = np.array(importance)
    total = max(R.sum(), 1e-11)
    d_factor = 1 - _row_entropy(R.T)  # for each latent, over factors
    c_latent = 1 - _row_entropy(R)
    notes = (*notes, f"Accuracy on the fitted rows {np.mean(fitted):.3f}, held out {np.mean(right):.3f}.")
    how = f"gradient boosted trees, {_sklearn()}"
    nothing = "about 0 for latents that know nothing of the factors, above it on few rows"
    most_common = "the share of the commonest class, or R^2 = 0"
    return Dci(
        _score(d_factor, R, how, notes, ROTATION, nothing, per_factor=False, weights=R.sum(0) / total),
        _score(c_latent, R, how, notes, ROTATION, nothing, weights=R.sum(1) / total),
        _score(np.array(right), R, how, notes, "any invertible change of the latents", most_common),
    )


def sap(z_true: Factors, z_hat: Latents, *, sizes: tuple[int, int] = (10_000, 5_000), seed: int = 0) -> Score:
    """Separated attribute predictability: does one latent alone predict a factor better than the next best alone?

        SAP = mean_k (S_(1)k - S_(2)k)

    S_jk is the held-out accuracy of a linear support vector machine (C = 0.01, balanced classes) on latent j alone, or
    for a numeric factor the squared correlation. SAP is blind to anything that a line cannot read off a latent.

    Args:
        z_true: Factors, classes or numbers.
        z_hat: Posterior means, same rows.
        sizes: Rows to fit on and rows to test on; with fewer rows than both, two thirds and one third.
        seed: Seed for drawing the rows.

    Returns:
        Score in [0, 1]; `matrix` holds S.

    Raises:
        ValueError: As for `mcc`.

    References:
        Kumar et al. 2018 (DIP-VAE).
    """
    from sklearn.svm import LinearSVC

    z_true, z_hat = checked(z_true, z_hat, "pearson")
    train, test, notes = _parts(len(z_true), sizes, seed)
    S = np.zeros((z_true.shape[1], z_hat.shape[1]))
    with _noting() as slow:
        for k, column in enumerate(z_true.T):
            v = class_codes(column)
            for j in range(z_hat.shape[1]):
                if v is None:
                    a, b = standardise(column[train, None]), standardise(z_hat[train, j : j + 1])
                    S[k, j] = (a * b).mean() ** 2
                elif np.ptp(v[train]):
                    machine = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
                    S[k, j] = machine.fit(z_hat[train, j : j + 1], v[train]).score(z_hat[test, j : j + 1], v[test])
    top = -np.sort(-np.column_stack([S, np.zeros(len(S))]), axis=1) if S.shape[1] < 2 else -np.sort(-S, axis=1)
    return _score(top[:, 0] - top[:, 1], S, f"linear support vector machines, {_sklearn()}", (*notes, *slow),
                  ROTATION, "about 0 for latents that know nothing of the factors")  # fmt: skip


def explicitness(z_true: Factors, z_hat: Latents, *, sizes: tuple[int, int] = (10_000, 5_000), seed: int = 0) -> Score:
    """Explicitness: can a linear classifier on all latents tell each class of each factor from the rest?

    The score is the held-out area under the one-vs-rest ROC curve of a logistic regression, averaged over classes and
    then over factors. The regression has its defaults, on latents standardised by the fitted rows. Explicitness is
    blind to any invertible affine map of the latents: it does not measure whether factors are in separate latents.

    Args:
        z_true: Factors, classes or numbers (cut into 20 bins).
        z_hat: Posterior means, same rows.
        sizes: Rows to fit on and rows to test on; with fewer rows than both, two thirds and one third.
        seed: Seed for drawing the rows.

    Returns:
        Score in [0, 1], chance 0.5; `matrix` holds the mean absolute weight of each latent.

    Raises:
        ValueError: As for `mcc`.

    References:
        Ridgeway & Mozer 2018.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    z_true, z_hat = checked(z_true, z_hat, "pearson")
    train, test, notes = _parts(len(z_true), sizes, seed)
    v, more = classes(z_true)
    mean, std = z_hat[train].mean(0), z_hat[train].std(0)
    h = (z_hat - mean) / np.where(std > 0, std, 1)
    areas, weights = np.zeros((2, v.shape[1])), []
    with _noting() as slow:
        for k in range(v.shape[1]):
            fitted = LogisticRegression().fit(h[train], v[train, k])
            weights.append(np.abs(fitted.coef_).mean(0))
            for part, rows in enumerate((train, test)):
                p = fitted.predict_proba(h[rows])
                truth = [v[rows, k] == c for c in fitted.classes_]
                areas[part, k] = np.mean([
                    roc_auc_score(t, p[:, i]) for i, t in enumerate(truth) if 0 < t.sum() < len(t)
                ])  # fmt: skip
    notes = (*notes, *more, *slow, f"On the fitted rows {areas[0].mean():.3f}.")
    return _score(areas[1], np.array(weights), f"logistic regression, {_sklearn()}", notes,
                  "any invertible affine map of the latents", "0.5")  # fmt: skip


# --- from interventions, by look-up ---


def factor_vae(z_true: Factors, z_hat: Latents, *, sizes: tuple[int, int] = (10_000, 5_000), seed: int = 0) -> Score:
    """FactorVAE score: when a factor is held fixed, is it always the same latent that varies least?

    For each vote, draw a factor k and 64 rows that share a class of it. The latent whose variance falls most (relative
    to all rows) votes for k. Each latent is assigned the factor that most of its training votes name, and the score is
    the share of correct evaluation votes. Latents with a standard deviation below 0.05 do not vote. The score is blind
    to a factor that is spread over several latents, and to a latent that also knows other factors.

    Args:
        z_true: Factors, classes or numbers (cut into 20 bins: a "fixed" number still varies by a bin).
        z_hat: Posterior means, same rows.
        sizes: Number of training and evaluation votes.
        seed: Seed for the votes.

    Returns:
        Score in [0, 1]; `matrix` holds training votes, `per_factor` is empty. No active latent: 0.

    Raises:
        ValueError: As for `mcc`.

    References:
        Kim & Mnih 2018.
    """
    z_true, z_hat = checked(z_true, z_hat, "pearson")
    v, notes = classes(z_true)
    notes = (*notes, *_small_classes(v))
    variance = z_hat.var(0, ddof=1)
    active = np.flatnonzero(np.sqrt(variance) >= ACTIVE_STD)
    rng, K = np.random.default_rng(seed), v.shape[1]
    votes = np.zeros((2, K, z_hat.shape[1]))
    for part, count in enumerate(sizes if len(active) else ()):
        for k, many in enumerate(rng.multinomial(count, np.full(K, 1 / K)).tolist()):
            for chosen in np.array_split(_sharing(rng, v[:, k], many), -(-many // 1000) or 1):
                spread = z_hat[chosen][:, :, active].var(1, ddof=1) / variance[active]
                votes[part, k] += np.bincount(active[spread.argmin(1)], minlength=z_hat.shape[1])
    stands_for = votes[0].argmax(0)
    right = votes[1, stands_for, np.arange(z_hat.shape[1])].sum() / max(votes[1].sum(), 1)
    if len(active) < z_hat.shape[1]:
        notes = (*notes, f"{z_hat.shape[1] - len(active)} latents vary by less than {ACTIVE_STD} and do not vote.")
    return _score(np.array([right]), votes[0], f"{sizes[0]:,} + {sizes[1]:,} votes of {BATCH}", notes,
                  "a factor spread over several latents", f"about {1 / K:.2f}: one factor of {K}",
                  per_factor=False)  # fmt: skip


def beta_vae(z_true: Factors, z_hat: Latents, *, sizes: tuple[int, int] = (10_000, 5_000), seed: int = 0) -> Score:
    """BetaVAE score: can a linear classifier tell which factor two batches share, from the difference of their latents?

    For each point, draw a factor k, 64 rows, and for each row a partner with the same class of k. The feature is the
    mean of |r_1 - r_2|, from which a logistic regression with its defaults predicts k. The score is blind to rotations
    that keep factors linearly readable from such differences: it is known to reach 1 too easily.

    Args:
        z_true: Factors, classes or numbers (cut into 20 bins).
        z_hat: Posterior means, same rows.
        sizes: Points to fit on and points to test on.
        seed: Seed for the points.

    Returns:
        Accuracy in [0, 1]; `matrix` holds the classifier's weights (none with a single factor), `per_factor` is empty.

    Raises:
        ValueError: As for `mcc`; also with a single factor.

    References:
        Higgins et al. 2017.
    """
    from sklearn.linear_model import LogisticRegression

    z_true, z_hat = checked(z_true, z_hat, "pearson")
    v, notes = classes(z_true)
    rng, K = np.random.default_rng(seed), v.shape[1]
    if K < 2:
        raise ValueError("The BetaVAE score tells factors apart, and there is only one; use another score.")
    points = []
    for count in sizes:
        features, truth = [], []
        for k, many in enumerate(rng.multinomial(count, np.full(K, 1 / K)).tolist()):
            first = rng.integers(0, len(v), (many, BATCH))
            partner = _partners(rng, v[:, k], first)
            for a, b in zip(*(np.array_split(i, -(-many // 1000) or 1) for i in (first, partner)), strict=True):
                features.append(np.abs(z_hat[a] - z_hat[b]).mean(1))
            truth.append(np.full(many, k))
        points.append((np.concatenate(features), np.concatenate(truth)))
    with _noting() as slow:
        machine = LogisticRegression().fit(*points[0])
    weights = np.zeros((K, z_hat.shape[1]))
    weights[machine.classes_ if len(machine.classes_) > 2 else machine.classes_[1:]] = machine.coef_
    return _score(np.array([machine.score(*points[1])]), weights, f"logistic regression, {_sklearn()}",
                  (*notes, *_small_classes(v), *slow), "rotations that leave differences linearly readable",
                  f"about {1 / K:.2f}: one factor of {K}", per_factor=False)  # fmt: skip


# --- shared ---


def _score(
    each: np.ndarray, matrix: np.ndarray, method: str, notes: tuple[str, ...], blind_to: str, chance: str,
    *, per_factor: bool = True, weights: np.ndarray | None = None,
) -> Score:  # fmt: skip
    """Build a Score. `matrix` is d_z by d_hat, and each factor is matched to the latent with its largest entry."""
    heaviest = np.abs(matrix).argmax(1)
    return Score(
        value=float(each.mean() if weights is None else (each * weights).sum()),
        matrix=matrix.astype(float),
        matching=tuple(heaviest.tolist()),
        signs=(1,) * len(matrix),
        per_factor=tuple(each.tolist()) if per_factor else (),
        method=method,
        notes=notes,
        blind_to=blind_to,
        chance=chance,
    )


def _row_entropy(R: np.ndarray) -> np.ndarray:
    """Return each row's entropy in the base of its length (a single column counts as 0)."""
    p = (R + 1e-11) / (R + 1e-11).sum(1, keepdims=True)
    return -(p * np.log(p)).sum(1) / np.log(max(R.shape[1], 2))


def _drawn(n: int, rows: int, seed: int) -> np.ndarray:
    return np.arange(n) if n <= rows else np.random.default_rng(seed).permutation(n)[:rows]


def _parts(n: int, sizes: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return rows to fit on, rows to test on, and a note if there are fewer than requested."""
    order, asked = np.random.default_rng(seed).permutation(n), sum(sizes)
    if n >= asked:
        return order[: sizes[0]], order[sizes[0] : asked], ()
    fit = max(1, min(n * sizes[0] // asked, n - 1))
    return order[:fit], order[fit:], (f"{n:,} rows instead of {asked:,}: {fit:,} to fit on, {n - fit:,} to test on.",)


def _sharing(rng: np.random.Generator, codes: np.ndarray, many: int) -> Int64[np.ndarray, "many b"]:
    """Return `many` batches of rows, each sharing the class of a row drawn at random."""
    return _partners(rng, codes, np.repeat(rng.integers(0, len(codes), (many, 1)), BATCH, 1))


def _partners(rng: np.random.Generator, codes: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return for each row number a random row of the same class."""
    order, counts = np.argsort(codes, kind="stable"), np.bincount(codes)
    start = np.cumsum(counts) - counts
    return order[start[codes[of]] + (rng.random(of.shape) * counts[codes[of]]).astype(int)]


def _small_classes(v: np.ndarray) -> tuple[str, ...]:
    smallest = min(int(np.bincount(c)[np.bincount(c) > 0].min()) for c in v.T)
    note = f"The smallest class holds {smallest} rows, so its batches of {BATCH} repeat rows."
    return (note,) if smallest < BATCH else ()


@contextmanager
def _noting() -> Iterator[list[str]]:
    """Turn scikit-learn's warnings about fits that did not converge into one note."""
    from sklearn.exceptions import ConvergenceWarning

    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield notes
    slow = sum(issubclass(w.category, ConvergenceWarning) for w in caught)
    for w in caught:
        if not issubclass(w.category, ConvergenceWarning):
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
    if slow:
        notes.append(f"{slow} fits stopped before they converged.")


def _sklearn() -> str:
    import sklearn

    return f"scikit-learn {sklearn.__version__}"
