"""Scores of the disentanglement literature for factors that are classes, as disentanglement_lib defines them.

Codes are posterior means; logarithms are natural. A factor with at most 64 distinct values, each with 4 rows or more,
is treated as classes. Any other factor is numeric and is cut into 20 bins of equal width (or predicted by regression,
if a docstring says so). Rows are drawn by NumPy's default_rng. `benchmarks/literature.py` compares every score with
disentanglement_lib and names each difference.
"""

from typing import Any, NamedTuple

import numpy as np

from dvae_core.metrics.classes import class_codes, classes, entropy, information
from dvae_core.metrics.drawing import (
    ROTATION,
    Factors,
    Latents,
    drawn,
    fit_and_test,
    noting,
    row_entropy,
    score_of,
    sklearn_version,
)
from dvae_core.metrics.infomec import infomec
from dvae_core.metrics.interventional import beta_vae, factor_vae, irs
from dvae_core.metrics.score import Score, checked, standardise

FAST = {"mig": 2000, "modularity": 2000, "dci": (1000, 500), "sap": (2000, 1000), "explicitness": (1000, 500),
        "factor_vae": (700, 350), "beta_vae": (1000, 500), "irs": 2000,
        "infomec": 2000}  # disent's sizes, if it defines them  # fmt: skip


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
        beta_vae, irs, infom, infoc, infoe.

    Raises:
        ValueError: As for `mcc`; also with a single factor.
    """
    few: dict[str, Any] = FAST if fast else {}

    def sizes(name: str) -> dict[str, Any]:
        return {"seed": seed} | ({"rows" if isinstance(few[name], int) else "sizes": few[name]} if few else {})

    parts, info = dci(z_true, z_hat, **sizes("dci")), infomec(z_true, z_hat, **sizes("infomec"))
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
        "irs": irs(z_true, z_hat, **sizes("irs")),
        "infom": info.modularity,
        "infoc": info.compactness,
        "infoe": info.explicitness,
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
    chosen = drawn(len(z_true), rows, seed)
    v, notes = classes(z_true[chosen])
    shares = information(v, z_hat[chosen]) / np.array([entropy(np.bincount(c)) for c in v.T])[:, None]
    top = -np.sort(-np.column_stack([shares, np.zeros(len(shares))]), axis=1)
    return score_of(top[:, 0] - top[:, 1], shares, "plug-in, 20 bins", notes, ROTATION,
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
    chosen = drawn(len(z_true), rows, seed)
    v, notes = classes(z_true[chosen])
    m = information(v, z_hat[chosen])
    best = np.square(m).max(0)
    rest = np.square(m).sum(0) - best
    each = np.where(best > 0, 1 - rest / np.where(best > 0, best, 1) / (z_true.shape[1] - 1), 0.0)
    return score_of(each, m, "plug-in, 20 bins", notes, "how much each latent knows, and to duplicated latents",
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
    train, test, notes = fit_and_test(len(z_true), sizes, seed)
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
    d_factor = 1 - row_entropy(R.T)  # for each latent, over factors
    c_latent = 1 - row_entropy(R)
    notes = (*notes, f"Accuracy on the fitted rows {np.mean(fitted):.3f}, held out {np.mean(right):.3f}.")
    how = f"gradient boosted trees, {sklearn_version()}"
    nothing = "about 0 for latents that know nothing of the factors, above it on few rows"
    most_common = "the share of the commonest class, or R^2 = 0"
    return Dci(
        score_of(d_factor, R, how, notes, ROTATION, nothing, per_factor=False, weights=R.sum(0) / total),
        score_of(c_latent, R, how, notes, ROTATION, nothing, weights=R.sum(1) / total),
        score_of(np.array(right), R, how, notes, "any invertible change of the latents", most_common),
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
    train, test, notes = fit_and_test(len(z_true), sizes, seed)
    S = np.zeros((z_true.shape[1], z_hat.shape[1]))
    with noting() as slow:
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
    return score_of(top[:, 0] - top[:, 1], S, f"linear support vector machines, {sklearn_version()}", (*notes, *slow),
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
    train, test, notes = fit_and_test(len(z_true), sizes, seed)
    v, more = classes(z_true)
    mean, std = z_hat[train].mean(0), z_hat[train].std(0)
    h = (z_hat - mean) / np.where(std > 0, std, 1)
    areas, weights = np.zeros((2, v.shape[1])), []
    with noting() as slow:
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
    return score_of(areas[1], np.array(weights), f"logistic regression, {sklearn_version()}", notes,
                  "any invertible affine map of the latents", "0.5")  # fmt: skip
