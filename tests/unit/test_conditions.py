"""The theorem's conditions: L's rank on constructed lambda, lights with their numbers, codes that repeat u."""

import dataclasses

import numpy as np
import pytest

from dvae_core.config import (
    Config,
    GaussianLikelihood,
    GaussianPrior,
    LaplacePrior,
    LearnedPrior,
    MlpNet,
    ModelConfig,
    NegativeBinomialLikelihood,
    NeuronsData,
    PoissonLikelihood,
    SourcesData,
)
from dvae_core.data.worlds.sources import sources
from dvae_core.identify.conditions import (
    Light,
    explained_by_u,
    injective_light,
    noise_light,
    statistics_light,
    statistics_rank,
    theorem_matrix,
    true_lambda,
    twins,
    variability_light,
    warnings_before,
    what_follows,
)
from dvae_core.identify.effect import Effect, effect_of, gaussian_family

RNG = np.random.default_rng
SAME = np.full(3, 0.99)  # MCC between a member and each other seed


@pytest.mark.parametrize(("d", "k", "m"), [(1, 1, 2), (2, 1, 3), (2, 2, 5), (3, 2, 7), (3, 2, 40), (2, 3, 9)])
@pytest.mark.parametrize("draw", range(5))
def test_the_rank_of_L_is_exact(d, k, m, draw):
    rng = RNG(draw)
    full = rng.standard_normal((m, d, k))
    assert (theorem_matrix(full).rank, theorem_matrix(full).needed) == (d * k, d * k)
    if d * k > 1:
        points = full.reshape(m, d * k).copy()
        points[:, -1] = points[:, :-1] @ rng.standard_normal(d * k - 1) + 3  # one direction lies in the others
        deficient = theorem_matrix(points.reshape(m, d, k))
        assert deficient.rank == d * k - 1
        assert deficient.L is None
        assert deficient.condition == np.inf
    means_only = full.copy()
    means_only[:, :, 1:] = full[:1, :, 1:]  # u moves the first statistic of each latent only
    assert theorem_matrix(means_only).rank == min(d, m - 1)


@pytest.mark.parametrize("draw", range(5))
def test_one_value_of_u_too_few_costs_one_rank(draw):
    assert theorem_matrix(RNG(draw).standard_normal((4, 2, 2))).rank == 3  # n k + 1 = 5 are needed


def test_L_is_made_of_the_chosen_lambda_and_its_condition_is_its_own():
    lam = RNG(0).standard_normal((9, 2, 2))
    found = theorem_matrix(lam)
    first, *others = found.chosen
    expected = (lam[others] - lam[first]).reshape(4, 4).T
    np.testing.assert_allclose(found.L, expected)
    assert found.condition == pytest.approx(np.linalg.cond(expected))


def test_a_direction_of_few_nats_counts_as_none_and_spread_sets_the_unit():
    lam = np.array([[[0.0, 0.0]], [[1.0, 0.0]], [[0.0, 0.01]]])
    assert theorem_matrix(lam, floor=0.05).rank == 1
    assert theorem_matrix(lam, spread=np.array([[1.0, 100.0]]), floor=0.05).rank == 2
    with pytest.raises(ValueError, match="not finite"):
        theorem_matrix(np.full((3, 1, 1), np.nan))


def test_the_gram_matrix_counts_the_constant_as_a_statistic():
    z = RNG(0).standard_normal((2000, 1))
    good = np.stack([z, z**2], -1)
    assert statistics_rank(good)[1].tolist() == [2]
    for dependent in ([z, 2 * z - 5], [z, np.full_like(z, 3.0)], [z, z]):
        values, rank = statistics_rank(np.stack(dependent, -1))
        assert rank.tolist() == [1]
        assert statistics_light(values, rank).state == "broken"
    assert statistics_light(*statistics_rank(good)).state == "met"


def test_twins_are_far_in_z_and_close_in_x():
    z = np.linspace(-2, 2, 101)[:, None]
    far, close, smallest, pair = twins(50 * z, z)
    assert (close, pair is not None) == (0, True)
    assert smallest > 50  # more than 1 standard deviation of z (1.17) apart
    folded = twins(50 * np.abs(z), z)
    assert folded[0] == far
    assert folded[1] > 20  # each z beyond half a deviation has its mirror image
    assert folded[2] == pytest.approx(0, abs=1e-6)
    assert twins(z[:1], z[:1]) == (0, 0, np.inf, None)


def test_codes_that_repeat_u_are_distinguished_from_codes_that_do_not():
    rng, u = RNG(0), np.repeat(np.arange(5), 400)
    copy, mixed, free = u.astype(float), u + rng.standard_normal(2000), rng.standard_normal(2000)
    share = explained_by_u(np.column_stack([copy, mixed, free, np.ones(2000)]), u)
    assert share[0] == pytest.approx(1)
    assert share[1] == pytest.approx(2 / 3, abs=0.05)  # var(u) = 2, noise 1; 2,000 rows
    assert share[2] < 0.01
    assert share[3] == 0
    assert explained_by_u(free[:, None], np.arange(2000) // 2)[0] < 0.1  # 1,000 labels of two rows explain nothing
    numbers = rng.uniform(-1, 1, (2000, 1))
    z = np.column_stack([numbers[:, 0], 2 * numbers[:, 0] + rng.standard_normal(2000), free])
    share = explained_by_u(z, numbers)
    assert share[0] > 0.99
    assert share[1] == pytest.approx(4 / 7, abs=0.1)  # var 4/3 of 4/3 + 1
    assert share[2] < 0.1


@pytest.mark.parametrize(("modulate", "k"), [("mean", 1), ("variance", 1), ("both", 2)])
def test_true_lambda_is_the_worlds(modulate, k):
    lam, _ = true_lambda(SourcesData(modulate=modulate, segments=9), np.arange(9))
    assert lam.shape == (9, 2, k)
    found = theorem_matrix(lam)
    assert found.rank == found.needed == 2 * k
    assert true_lambda(SourcesData(modulate=modulate, segments=9, strength=0.0), np.arange(9))[0].std(0).max() < 1e-12


def test_a_distribution_that_is_not_an_exponential_family_is_named():
    u = np.arange(5)
    assert true_lambda(SourcesData(noise="laplace", modulate="variance"), u)[0].shape == (5, 2, 1)
    assert "centre that moves" in true_lambda(SourcesData(noise="laplace"), u)[1]
    assert "not an exponential family" in true_lambda(SourcesData(noise="bimodal"), u)[1]
    assert true_lambda(NeuronsData(), u)[0].shape == (5, 2, 2)


def test_the_noise_light():
    plain = Config()
    assert noise_light(plain, 0.1).state == "met"
    net = dataclasses.replace(plain, model=ModelConfig(likelihood=GaussianLikelihood(noise="network")))
    assert noise_light(net, 0.1).state == "unsure"
    for likelihood in (PoissonLikelihood(), NegativeBinomialLikelihood()):
        light = noise_light(dataclasses.replace(plain, model=ModelConfig(likelihood=likelihood)), None)
        assert light.state == "unsure"
        assert "counts are not additive noise: outside the theorem" in light.why


def test_the_injectivity_light():
    steep = np.column_stack([np.full(100, 5.0), np.full(100, 1.0)])
    assert injective_light(1, 2, steep, (10, 0, 9.0), "xtanh").state == "broken"
    assert injective_light(2, 2, steep, (1000, 0, 9.0), "xtanh").state == "met"
    assert injective_light(2, 2, steep, (1000, 10, 0.1), "xtanh").state == "unsure"
    assert injective_light(2, 2, steep, (1000, 100, 0.1), "xtanh").state == "broken"
    flat = np.column_stack([np.full(100, 5.0), np.r_[np.zeros(2), np.ones(98)]])
    assert injective_light(2, 2, flat, (1000, 0, 9.0), "xtanh").state == "unsure"
    for kinked in ("relu", "leaky"):
        light = injective_light(2, 2, steep, (1000, 0, 9.0), kinked)
        assert light.state == "unsure"
        assert "theorems 2 and 3 do not apply" in light.why


def effect(world: dict, *, prior: str = "both", seed: int = 0, rows: int = 1000) -> Effect | None:
    """The effect of u on perfect latents of a world, on this many held-out rows."""
    dataset = sources(seed=seed, **world)
    rng = RNG(seed)
    chosen = rng.permutation(dataset.n)[:rows]
    z = dataset.z.astype(float)
    return effect_of(((z - z.mean(0)) / z.std(0))[chosen], dataset.u[chosen], gaussian_family(prior))


def green(found: Effect, values: int) -> Light:
    # A learned lambda that spans all directions: any does
    return variability_light(values, False, theorem_matrix(10 * RNG(0).standard_normal((values, 2, 2))), found, SAME)


NOTHING = {"strength": 0.0, "segments": 20, "per_segment": 250}
MEANS = {"modulate": "mean", "segments": 20, "per_segment": 250}
VARIANCES = {"modulate": "variance", "segments": 20, "per_segment": 250}
BOTH = {"segments": 20, "per_segment": 250}


@pytest.mark.slow
@pytest.mark.parametrize("world_seed", range(3))
def test_the_light_on_u_is_green_only_where_u_moves_every_direction(world_seed):
    assert green(effect(BOTH, seed=world_seed), 20).state == "met"
    assert green(effect(NOTHING, seed=world_seed), 20).state == "broken"
    means = green(effect(MEANS, seed=world_seed), 20)
    assert (means.state, means.number) == ("unsure", "means only")
    assert green(effect(VARIANCES, seed=world_seed), 20).state != "met"


@pytest.mark.parametrize(
    ("seeds", "number"),
    [([0.99, 0.93, 0.99], "the seeds disagree"), ([], "no other seed")],
    ids=["disagree", "no other"],
)
def test_no_light_on_u_is_green_before_the_seeds_agree(seeds, number):
    learned = theorem_matrix(10 * RNG(0).standard_normal((20, 2, 2)))
    light = variability_light(20, False, learned, effect(BOTH), np.array(seeds))
    assert (light.state, light.number) == ("unsure", number)


def test_a_prior_that_fixes_a_moment_that_u_moves_does_not_fit_the_data():
    found = effect(MEANS, prior="variance")
    assert found.is_outside
    light = variability_light(20, False, theorem_matrix(10 * RNG(0).standard_normal((20, 2, 1))), found, SAME)
    assert (light.state, "leaves alone" in light.why) == ("unsure", True)
    assert not effect(VARIANCES, prior="variance").is_outside


def test_the_gain_of_u_is_the_worlds_mutual_information_within_its_error():
    # Two segments at +-2, standard deviation 1: I(z; u) = log 2 less the entropy of the label given z = .560 nats
    rng, u = RNG(0), np.repeat([0, 1], 4000)
    z = (4.0 * u - 2 + rng.standard_normal(8000))[:, None]
    found = effect_of(z, u, gaussian_family("mean"))
    # A Gaussian prior for all u has variance 5: the gain is log(5) / 2 less what the common mean costs
    assert found.gain == pytest.approx(0.5 * np.log(5), abs=0.05)
    assert 0 < found.gain_error < 0.02


def test_too_few_rows_or_values_leave_the_light_amber():
    few = effect(BOTH, rows=100)
    light = (
        green(few, 20)
        if few
        else variability_light(20, False, theorem_matrix(RNG(0).standard_normal((20, 2, 2))), None, SAME)
    )
    assert light.state == "unsure"
    assert "enough held-out rows" in light.why
    short = theorem_matrix(RNG(0).standard_normal((4, 2, 2)))
    assert "n k + 1 = 5 values" in variability_light(4, False, short, None, SAME).why


MET = [Light(name, "met", "", "") for name in ("one", "two", "three", "four")]


def changed(k: int, state: str, number: str = "", why: str = "") -> list[Light]:
    return [*MET[:k], Light(MET[k].name, state, number, why), *MET[k + 1 :]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prior", "monotonic", "message"),
    [
        (Config().prior, None, "Nothing is promised"),
        (GaussianPrior(), None, "theorem 2 would say: each latent is one factor, up to order, sign, scale and offset."),
        (GaussianPrior(modulate="mean"), [True, True], "theorem 1 alone"),
        (GaussianPrior(modulate="variance"), [False, False], "theorem 3"),
        (LaplacePrior(), [False, False], "theorem 3"),
        (LearnedPrior(k=1), [True, False], "theorem 1 alone"),
        (LearnedPrior(k=3), None, "up to order and a map of its own"),
    ],
)
def test_what_follows_is_conditional_and_says_first_how_large_the_effect_is(prior, monotonic, message):
    config = dataclasses.replace(Config(), prior=prior)
    flags = None if monotonic is None else np.array(monotonic)
    found = effect(BOTH)
    text = what_follows(config, MET, flags, found)
    assert message in text
    if not config.is_conditional:
        return
    assert text.startswith(f"u changes log p(z|u) by {found.gain:.3f} ± {found.gain_error:.3f} nats")
    assert "If the data came from a model of this family" in text
    for k in range(4):
        for state in ("broken", "unsure"):
            other = what_follows(config, changed(k, state), flags, found)
            assert "would" not in other, "no theorem is named beside a red or amber light"
            assert MET[k].name in other


def test_kinks_and_moving_means_leave_theorem_1_alone():
    config = dataclasses.replace(Config(), prior=GaussianPrior(), model=ModelConfig(net=MlpNet(activation="relu")))
    steep = np.column_stack([np.full(100, 5.0), np.full(100, 1.0)])
    kinked = [MET[0], injective_light(2, 2, steep, (1000, 0, 9.0), "relu"), *MET[2:]]
    assert "theorem 1 alone" in what_follows(config, kinked, None, effect(BOTH))
    smooth = dataclasses.replace(Config(), prior=GaussianPrior())
    found = effect(MEANS)
    text = what_follows(smooth, [*MET[:3], green(found, 20)], None, found)
    assert "theorem 1 alone would apply, with T = z" in text


def test_warnings_before_training():
    labels = np.repeat(np.arange(5), 50)
    assert warnings_before(labels, 2, 2) == []
    assert warnings_before(labels[:200], 2, 2)[0] == (
        "With 4 conditions at most 1 latent can be identified; 2 latents need 5. Choose 1 latent, or data with more "
        "conditions."
    )
    assert "no latent can be identified; 2 latents need 5. Choose data" in warnings_before(labels[:100], 2, 2)[0]
    assert "at most 3 latents can be identified; 4 latents need 5" in warnings_before(labels[:200], 4, 1)[0]
    assert "2 of 5 values of u have fewer than 30" in warnings_before(np.r_[[0, 1], np.repeat([2, 3, 4], 50)], 2, 2)[0]
    assert warnings_before(np.linspace(0, 1, 100)[:, None], 2, 2) == []
    assert warnings_before(None, 2, 2) == []
