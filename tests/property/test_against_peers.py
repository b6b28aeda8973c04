"""Class scores are those that CEBRA and iTuna print, to 1e-6; run in an environment that has the two packages."""

import numpy as np
import pytest

from dvae_core.metrics import class_scores


def pairs(count: int = 40):
    """Yield pairs of latents that differ by order and sign, scale, a rotation, an offset, or everything."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        n, d = int(rng.integers(30, 300)), int(rng.integers(1, 6))
        a = rng.laplace(size=(n, d)) * rng.uniform(0.5, 2, d) + rng.normal(size=d) * (seed % 3)
        b = a[:, rng.permutation(d)] * rng.choice([-1.0, 1.0], d)
        if seed % 4 > 0:
            b = b @ rng.normal(size=(d, d)) + rng.normal(size=d)
        yield a, b + rng.normal(size=b.shape) * rng.uniform(0, 1)


def test_a_linear_map_of_latents_scores_one_and_independent_latents_do_not():
    rng = np.random.default_rng(0)
    a, noise = rng.normal(size=(500, 3)), rng.normal(size=(500, 3))
    found = class_scores(a, a @ rng.normal(size=(3, 3)))
    assert found["linear"] == pytest.approx(1.0)
    assert found["permutation"] < 0.9
    assert class_scores(a, noise)["affine"] < 0.05
    assert class_scores(a, -a[:, ::-1])["permutation"] == pytest.approx(1.0)


def test_ituna_gives_the_same_numbers():
    ituna = pytest.importorskip("ituna.metrics")
    names = {"identity": "Identity", "permutation": "Permutation", "linear": "Linear", "affine": "Affine"}
    for a, b in pairs():
        ours = class_scores(a, b)
        for ours_name, theirs in names.items():
            model = getattr(ituna, theirs)()
            assert ours[ours_name] == pytest.approx(model.fit(a, b).score(a, b), abs=1e-6)


def test_cebra_gives_the_same_consistency():
    metrics = pytest.importorskip("cebra.integrations.sklearn.metrics")
    for a, b in pairs(10):
        scores, _, _ = metrics.consistency_score([a, b], between="runs")
        assert np.allclose(scores, [class_scores(a, b)["affine"], class_scores(b, a)["affine"]], atol=1e-6)
