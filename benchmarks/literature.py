"""Are our scores those of the literature? Every score on common arrays, beside disentanglement_lib and the papers.

MIG, modularity, DCI, SAP, explicitness and IRS are computed by the functions of disentanglement_lib 1.5 on the same
arrays and, where rows are fitted on, the same split; they must be equal to 1e-6. FactorVAE and BetaVAE draw at random,
there from a simulator and here from rows: their means over repetitions must be equal within their error. UDR, InfoMEC
and MCC are not in that package's release; they are written here once more, from their definitions and in plain loops.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install -r requirements.txt
    /tmp/peers/bin/pip install --no-deps -r benchmarks/requirements-peers.txt
    /tmp/peers/bin/python benchmarks/literature.py        # 3 minutes of CPU on one core; exit status 1 on a difference
"""

import itertools
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that a script runs from any folder

from dvae_core import metrics

EQUAL = 1e-6
SIZES = (1000, 500)
REPEATS = 8  # of the scores that draw at random
VOTES = (300, 200)


def peer() -> Any:
    """Import the scores of disentanglement_lib, with an empty gin: it fills in settings and needs TensorFlow."""
    gin = types.ModuleType("gin")
    plain = lambda *args, **_: args[0] if callable(args[0]) else lambda function: function  # noqa: E731
    gin.__dict__.update(configurable=plain, REQUIRED=None, tf=gin)
    sys.modules |= {"gin": gin, "gin.tf": gin}
    from disentanglement_lib.evaluation.metrics import (  # pyright: ignore[reportMissingImports]
        beta_vae,
        dci,
        factor_vae,
        irs,
        mig,
        modularity_explicitness,
        sap_score,
        utils,
    )

    # the settings of their study unsupervised_study_v1
    utils.make_discretizer = lambda target: utils._histogram_discretize(target, 20)
    factor_vae._prune_dims = lambda variances: np.sqrt(variances) >= 0.05
    return types.SimpleNamespace(
        beta_vae=beta_vae, dci=dci, factor_vae=factor_vae, irs=irs, mig=mig, me=modularity_explicitness, sap=sap_score,
        utils=utils,
    )  # fmt: skip


class Simulator:
    """The source that disentanglement_lib expects: here it returns a random row with the requested factors."""

    def __init__(self, v: np.ndarray, z: np.ndarray, seed: int) -> None:
        self.num_factors = v.shape[1]
        self._classes = [np.unique(column) for column in v.T]
        self._rows: dict[tuple, list[int]] = {}
        for i, row in enumerate(v.tolist()):
            self._rows.setdefault(tuple(row), []).append(i)
        self._z, self._rng = z, np.random.default_rng(seed)

    def sample_factors(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        """Draw n rows of independent factors."""
        return np.column_stack([rng.choice(values, n) for values in self._classes])

    def sample_observations_from_factors(self, factors: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Return the factors themselves, in place of pictures."""
        return factors

    def sample_observations(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        """Draw n "pictures"."""
        return self.sample_factors(n, rng)

    def encode(self, factors: np.ndarray) -> np.ndarray:
        """Return the codes of random rows with these factors."""
        return self._z[[self._rng.choice(self._rows[tuple(row)]) for row in factors.tolist()]]


def arrays() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return factors (the whole grid of 3 x 4 x 5 classes, 25 times) and codes, by name."""
    grid = np.array(list(itertools.product(range(3), range(4), range(5))), float)
    rng = np.random.default_rng(0)
    v = rng.permutation(np.tile(grid, (25, 1)))
    white = (v - v.mean(0)) / v.std(0)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    noise = rng.standard_normal((len(v), 5))
    codes = {
        "perfect": white,
        "permuted": -3 * white[:, [2, 0, 1]] + 1,
        "duplicated": np.hstack([white, white]),
        "noisy": white + 0.3 * noise[:, :3],
        "rotated": white @ turn.T + 0.1 * noise[:, :3],
        "bent mixture": np.tanh(white @ rng.standard_normal((3, 5))) + 0.1 * noise,
        "with a constant": np.column_stack([white[:, :2] + 0.1 * noise[:, :2], np.full(len(v), 2.0)]),
        "noise alone": noise[:, :4],
    }
    return {name: (v, z) for name, z in codes.items()}


# --- what the release does not have, from the definitions ---


def mcc(v: np.ndarray, z: np.ndarray) -> float:
    """Return the best mean |correlation| over one-to-one matchings, by trying them all."""
    with np.errstate(invalid="ignore"):
        C = np.nan_to_num(np.abs(np.corrcoef(v.T, z.T)[: v.shape[1], v.shape[1] :]))
    few = itertools.permutations(range(z.shape[1]), v.shape[1])
    return max(float(np.mean([C[k, j] for k, j in enumerate(chosen)])) for chosen in few)


def infomec(v: np.ndarray, z: np.ndarray) -> tuple[float, float, float]:
    """Return InfoM, InfoC and InfoE (Hsu et al. 2023). Balanced classes make the null model uniform: log C nats."""
    from sklearn.feature_selection import mutual_info_classif
    from sklearn.linear_model import LogisticRegression

    active = [j for j in range(z.shape[1]) if np.ptp(z[:, j]) > np.ptp(z, axis=0).max() / 20]
    K, d = v.shape[1], len(active)
    N = np.zeros((K, d))
    for k in range(K):
        p = np.unique(v[:, k], return_counts=True)[1] / len(v)
        for a, j in enumerate(active):
            column = (z[:, j] - z[:, j].mean()) / z[:, j].std()
            code = v[:, k].astype(int)
            N[k, a] = mutual_info_classif(column[:, None], code, n_neighbors=10, random_state=0)[0]
        N[k] /= -(p * np.log(p)).sum()
    m = np.mean([N[:, a].max() / N[:, a].sum() if N[:, a].any() else 1 / K for a in range(d)])
    c = np.mean([N[k].max() / N[k].sum() if N[k].any() else 1 / d for k in range(K)])
    wide = np.where(z.std(0) > 0, z.std(0), 1.0)
    left = []
    for column in v.T.astype(int):
        fit = LogisticRegression(C=np.inf, class_weight="balanced").fit((z - z.mean(0)) / wide, column)
        p = fit.predict_proba((z - z.mean(0)) / wide)[np.arange(len(v)), column]
        left.append(-np.log(np.maximum(p, np.finfo(float).eps)).mean() / np.log(column.max() + 1))
    return float((m - 1 / K) / (1 - 1 / K)), float((c - 1 / d) / (1 - 1 / d)), float(1 - np.mean(left))


def udr(codes: list[np.ndarray]) -> list[float]:
    """Return each model's UDR with the Lasso (Duan et al. 2020, equations 2 and 3, in disentanglement_lib's form)."""
    from sklearn.linear_model import Lasso

    out = []
    standard = [(z - z.mean(0)) / z.std(0) for z in codes]
    for j, target in enumerate(standard):
        mine = []
        for i, source in enumerate(standard):
            if i != j:
                R = np.abs(Lasso(alpha=0.1, max_iter=2000).fit(source, target).coef_)
                by = [[line.max() ** 2 / line.sum() if line.any() else 0.0 for line in lines] for lines in (R, R.T)]
                mine.append(0.5 * (np.mean(by[0]) + np.mean(by[1])))
        out.append(float(np.median(mine)))
    return out


# --- the comparison ---


def same_arrays(theirs: Any, v: np.ndarray, z: np.ndarray) -> dict[str, tuple[float, float, str]]:
    """Return ours, theirs and the cause of a known difference, by score, where both see the same rows."""
    order = np.random.default_rng(0).permutation(len(v))
    fit, test = order[: SIZES[0]], order[SIZES[0] : sum(SIZES)]
    bins = theirs.utils.make_discretizer(z.T)
    information = theirs.utils.discrete_mutual_info(bins, v.T)
    parts = metrics.dci(v, z, sizes=SIZES)
    np.random.seed(0)  # noqa: NPY002 - their classifiers draw from the global generator
    import sklearn.ensemble

    original = sklearn.ensemble.GradientBoostingClassifier
    sklearn.ensemble.GradientBoostingClassifier = lambda: original(random_state=0)  # as in dvae_core: it breaks ties
    their_dci = theirs.dci._compute_dci(z[fit].T, v[fit].T, z[test].T, v[test].T)
    sklearn.ensemble.GradientBoostingClassifier = original
    train, mean, std = theirs.utils.normalize_data(z[fit].T)
    held_out, _, _ = theirs.utils.normalize_data(z[test].T, mean, std)
    constant = (
        "theirs is undefined: it divides a constant code by its standard deviation" if np.isnan(train).any() else ""
    )
    explicit = [np.nan] if constant else [
        theirs.me.explicitness_per_factor(train, v[fit, k], held_out, v[test, k])[1] for k in range(v.shape[1])
    ]  # fmt: skip
    alive = theirs.irs._drop_constant_dims(z.T)
    factors = theirs.utils.make_discretizer(v.T)
    info, by_hand = metrics.infomec(v, z), infomec(v, z)
    active = np.ptp(z, axis=0) > np.ptp(z, axis=0).max() / 20
    out = {
        "mig": (metrics.mig(v, z).value, theirs.mig._compute_mig(z.T, v.T)["discrete_mig"], ""),
        "modularity": (metrics.modularity(v, z).value, theirs.me.modularity(information), ""),
        "dci_disentanglement": (parts.disentanglement.value, their_dci["disentanglement"], ""),
        "dci_completeness": (parts.completeness.value, their_dci["completeness"], ""),
        "dci_informativeness": (parts.informativeness.value, their_dci["informativeness_test"], ""),
        "sap": (
            metrics.sap(v, z, sizes=SIZES).value,
            theirs.sap._compute_sap(z[fit].T, v[fit].T, z[test].T, v[test].T, False)["SAP_score"], "",
        ),
        "explicitness": (metrics.explicitness(v, z, sizes=SIZES).value, float(np.mean(explicit)), constant),
        "irs": (
            metrics.irs(v, z).value, theirs.irs.scalable_disentanglement_score(factors.T, alive.T)["avg_score"], "",
        ),
        "mcc": (metrics.mcc(v, z).value, mcc(v, z), ""),
        "infom": (info.modularity.value, by_hand[0], ""),
        "infoe": (info.explicitness.value, by_hand[2], ""),
    }  # fmt: skip
    if active.sum() > 1:
        out["infoc"] = (info.compactness.value, by_hand[1], "")
    return out


def at_random(theirs: Any, v: np.ndarray, z: np.ndarray) -> dict[str, tuple[list[float], list[float]]]:
    """Return repetitions of FactorVAE and BetaVAE, ours and theirs."""
    world = Simulator(v, z, 0)
    ours: dict[str, Callable[[int], float]] = {
        "factor_vae": lambda seed: metrics.factor_vae(v, z, sizes=VOTES, seed=seed).value,
        "beta_vae": lambda seed: metrics.beta_vae(v, z, sizes=VOTES, seed=seed).value,
    }
    published: dict[str, Callable[[int], float]] = {
        "factor_vae": lambda seed: theirs.factor_vae.compute_factor_vae(
            world, world.encode, np.random.RandomState(seed), None, 64, *VOTES, 10_000
        )["eval_accuracy"],
        "beta_vae": lambda seed: theirs.beta_vae.compute_beta_vae_sklearn(
            world, world.encode, np.random.RandomState(seed), None, 64, *VOTES
        )["eval_accuracy"],
    }
    seeds = range(REPEATS)
    return {name: ([ours[name](s) for s in seeds], [published[name](s) for s in seeds]) for name in ours}


def main() -> int:
    """Print one line per score and array, and return 1 if a difference has no named cause."""
    warnings.filterwarnings("ignore")
    theirs, wrong = peer(), 0
    print(f"{'codes':16s} {'score':20s} {'ours':>10s} {'theirs':>10s} {'difference':>11s}")
    everything = arrays()
    for name, (v, z) in everything.items():
        for score, (ours, other, cause) in same_arrays(theirs, v, z).items():
            differs = not abs(ours - other) <= EQUAL
            wrong += differs and not cause
            print(f"{name:16s} {score:20s} {ours:10.6f} {other:10.6f} {ours - other:11.1e} {cause if differs else ''}")
        for score, (ours, other) in at_random(theirs, v, z).items():
            gap = np.mean(ours) - np.mean(other)
            error = np.hypot(np.std(ours, ddof=1), np.std(other, ddof=1)) / REPEATS**0.5
            differs = abs(gap) > 4 * error + 1e-12  # 14 comparisons: one beyond 3 errors is not rare
            wrong += differs
            print(f"{name:16s} {score:20s} {np.mean(ours):10.6f} {np.mean(other):10.6f} {gap:11.1e} +- {error:.1e}")
    models = [everything[name][1] for name in ("perfect", "permuted", "rotated")]
    alive = np.ones((3, 3))
    for ours, other in zip(metrics.udr(np.stack(models), alive).tolist(), udr(models), strict=True):
        wrong += abs(ours - other) > EQUAL
        print(f"{'three models':16s} {'udr':20s} {ours:10.6f} {other:10.6f} {ours - other:11.1e}")
    print(f"{wrong} differences without a named cause")
    return min(wrong, 1)


if __name__ == "__main__":
    raise SystemExit(main())
