"""The contract every model, prior, likelihood and posterior passes, and the closed forms behind the ELBO."""

import dataclasses
import itertools

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from dvae_core.config import (
    BernoulliLikelihood,
    Config,
    ConvNet,
    GaussianLikelihood,
    GaussianPrior,
    LaplacePrior,
    LearnedPrior,
    MlpNet,
    ModelConfig,
    NegativeBinomialLikelihood,
    PoissonLikelihood,
    StandardPrior,
    TrainConfig,
)
from dvae_core.model.nets import Sizes
from dvae_core.model.posterior import Posterior
from dvae_core.model.priors import GivenNormal
from dvae_core.model.start import initialise, leading_components
from dvae_core.model.vae import Vae, kl, log_px, member

N, D_Z, D_U = 12, 3, 4
LIKELIHOODS = [
    *(GaussianLikelihood(noise=kind) for kind in ("fixed", "scalar", "dimension", "network")),
    BernoulliLikelihood(),
    PoissonLikelihood(),
    NegativeBinomialLikelihood(),
]


def build(
    *, net=None, likelihood=None, posterior="full", prior=None, encoder="x", preprocess="standardise", seeds=(0, 1)
):
    picture = isinstance(net, ConvNet)
    config = Config(
        model=ModelConfig(
            latents=D_Z, net=net or MlpNet(hidden=8), likelihood=likelihood or GaussianLikelihood(),
            posterior=posterior, encoder=encoder, preprocess=preprocess,
        ),
        prior=prior or StandardPrior(),
        train=TrainConfig(seeds=seeds, betas=(1.0,) * len(seeds)),
    )  # fmt: skip
    sizes = Sizes(16 * 32 * 3, D_U, True, (16, 32, 3)) if picture else Sizes(5, D_U, True)
    vae = Vae(config, sizes)
    noise = torch.Generator().manual_seed(0)
    x = torch.rand(N, sizes.d_x, generator=noise)
    if likelihood is not None and likelihood.is_count:
        x = torch.poisson(5 * x, generator=noise)
    u = torch.eye(D_U)[torch.arange(N) % D_U]
    initialise(vae, x, u)
    p = len(seeds)
    eps = torch.randn(p, N, D_Z, generator=noise)
    return vae, x.expand(p, -1, -1), u.expand(p, -1, -1), eps


CASES = [
    *({"likelihood": lik, "posterior": q} for lik, q in itertools.product(LIKELIHOODS, ("diagonal", "full"))),
    *({"prior": GaussianPrior(modulate=m), "encoder": e} for m in ("both", "mean", "variance") for e in ("x", "xu")),
    *({"net": ConvNet(channels=4, hidden=8), "likelihood": lik} for lik in LIKELIHOODS),
    *({"net": MlpNet(hidden=8, activation=a)} for a in ("xtanh", "tanh", "relu", "leaky", "silu", "gelu")),
    *({"preprocess": how} for how in ("none", "centre", "whiten")),
    {"net": MlpNet(depth=0)},
    *({"posterior": "gauss-newton", "likelihood": lik} for lik in LIKELIHOODS),
    *(
        {"posterior": "gauss-newton", "net": MlpNet(hidden=8, activation=a)}
        for a in ("tanh", "relu", "leaky", "silu", "gelu")
    ),
    {"posterior": "gauss-newton", "net": MlpNet(depth=0), "prior": GaussianPrior()},
    *(
        {"prior": prior, "posterior": q}
        for prior, q in itertools.product((LaplacePrior(), LearnedPrior(k=1), LearnedPrior()), ("full", "gauss-newton"))
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_model_keeps_the_contract(case):
    vae, x, u, eps = build(**case)
    bound = vae.elbo(x, u, eps)
    assert bound.elbo.shape == (2, N)
    torch.testing.assert_close(vae.elbo_of(vae.scaling(x), x, u, eps).elbo, bound.elbo, rtol=0, atol=0)
    assert bound.kl_latent.shape == (2, N, D_Z)
    # float32: sums of some tens of nats
    torch.testing.assert_close(bound.kl, bound.kl_latent.sum(-1) + bound.kl_dependence, rtol=1e-5, atol=1e-4)
    assert (bound.kl_dependence > -1e-5).all()
    assert vae.decoder(eps).mean.shape == x.shape

    bound.elbo.sum().backward()
    # with q from the decoder's curvature the bound's gradient reaches the encoder through the refinement only
    idle = [name for name, w in vae.named_parameters() if w.grad is None or not torch.isfinite(w.grad).all()]
    assert idle == []
    assert all(w.shape[0] == 2 for w in vae.parameters())

    again = Vae(vae.config, vae.sizes)
    again.load_state_dict(vae.state_dict())
    torch.testing.assert_close(again.elbo(x, u, eps).elbo, bound.elbo, rtol=0, atol=0)
    if case.get("posterior") != "gauss-newton":  # which takes more refinement steps when it is not training
        torch.testing.assert_close(again.eval().elbo(x, u, eps).elbo, bound.elbo, rtol=0, atol=0)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_member_starts_bit_for_bit_as_it_would_alone(case):
    vae, *_ = build(**case, seeds=(5, 6, 7))
    alone, *_ = build(**case, seeds=(6,))
    theirs = dict(alone.named_parameters())
    for name, weight in vae.named_parameters():
        assert torch.equal(weight[1], theirs[name][0]), name


def test_member_takes_one_member_out():
    vae, x, u, eps = build(prior=GaussianPrior(), seeds=(3, 4))
    lone = member(vae, 1)
    # batched and lone products sum in another order
    torch.testing.assert_close(
        lone.elbo(x[1:], u[1:], eps[1:]).elbo, vae.elbo(x, u, eps).elbo[1:], rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("full", [False, True])
def test_kl_agrees_with_torch_distributions(full):
    noise = torch.Generator().manual_seed(1)
    mu, prior_mu, logvar = torch.randn(3, 2, N, D_Z, generator=noise, dtype=torch.float64)
    if full:
        factor = torch.randn(2, N, D_Z, D_Z, generator=noise, dtype=torch.float64).tril() + 2 * torch.eye(D_Z)
        log_det = torch.linalg.slogdet(factor)[1]
        q = MultivariateNormal(mu, covariance_matrix=factor @ factor.mT)
    else:
        factor = torch.rand(2, N, D_Z, generator=noise, dtype=torch.float64) + 0.1
        log_det = torch.log(factor).sum(-1)
        q = Independent(Normal(mu, factor), 1)
    p = Independent(Normal(prior_mu, torch.exp(0.5 * logvar)), 1)
    ours = kl(Posterior(mu, factor, log_det), GivenNormal(prior_mu, logvar), mu)
    reference = kl_divergence(q, p) if not full else kl_divergence(
        q, MultivariateNormal(prior_mu, covariance_matrix=torch.diag_embed(torch.exp(logvar)))
    )  # fmt: skip
    torch.testing.assert_close(ours[0], reference)
    if not full:
        torch.testing.assert_close(ours[2], torch.zeros_like(ours[2]))


@pytest.mark.parametrize("prior", [LaplacePrior(), LearnedPrior()], ids=str)
@pytest.mark.parametrize("posterior", ["diagonal", "full"])
@torch.no_grad()
def test_the_kl_of_other_families_is_the_mean_of_log_q_minus_log_p(prior, posterior):
    """By 20,000 samples, within 5 standard errors; per latent against the marginals of q."""
    n = 20_000
    vae, x, u, _ = build(prior=prior, posterior=posterior)
    vae, x, u = vae.double().eval(), x.double()[:, :1].expand(-1, n, -1), u.double()[:, :1].expand(-1, n, -1)
    q = vae.encoder(x, u)
    z = q.sample(torch.randn(2, n, D_Z, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    given = vae.prior(u)
    total, each, dependence = kl(q, given, z)
    torch.testing.assert_close(total, each.sum(-1) + dependence)
    marginal = Normal(q.mu, q.var.sqrt()).log_prob(z) - given.log_prob(z)
    joint = q.log_prob(z) - given.log_prob(z).sum(-1)
    for ours, reference in ((each, marginal), (total, joint)):
        error = ((ours - reference).var(1) / n).sqrt()
        assert ((ours - reference).mean(1).abs() < 5 * error + 1e-9).all()
        assert (ours.mean(1) > 0).all()


@pytest.mark.parametrize("activation", ["xtanh", "tanh", "relu", "leaky", "silu", "gelu"])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_the_explicit_jacobian_is_autograds(activation, depth):
    vae, _, _, z = build(net=MlpNet(hidden=8, depth=depth, activation=activation))
    vae, z = vae.double(), z.double()
    px, jacobian = vae.decoder_with_jacobian(z)
    torch.testing.assert_close(px.f, vae.decoder(z).f)
    # summing over examples and members: each output depends on its own row of z alone
    whole = torch.autograd.functional.jacobian(lambda v: vae.decoder(v).f.sum((0, 1)), z)  # [d_x, p, n, d_z]
    torch.testing.assert_close(jacobian, whole.movedim(0, -1))


@torch.no_grad()
def test_gauss_newton_is_exact_where_the_decoder_is_linear():
    """A step within the length of 1 reaches N(S (W e / s^2 + Lambda mu), S), S = (W W^T / s^2 + Lambda)^-1."""
    wide = GaussianLikelihood(std=1.0)  # the mode is then within 5 steps of length 1
    vae, x, u, _ = build(
        net=MlpNet(depth=0), posterior="gauss-newton", prior=GaussianPrior(), preprocess="none", likelihood=wide
    )
    vae, x, u = vae.double(), x.double(), u.double()
    q = vae.eval().encoder(x, u)
    W = vae.decoder_net.skip.weight + vae.decoder_net.mlp.last.weight
    mu, logvar = vae.prior(u).moments()
    precision = torch.diag_embed(torch.exp(-logvar))
    S = torch.linalg.inv((W @ W.mT)[:, None] / torch.exp(2 * vae.likelihood.log_std)[:, None, None] + precision)
    centred = (x - vae.decoder_net.mlp.last.bias[:, None]) @ W.mT / torch.exp(2 * vae.likelihood.log_std)[:, None]
    expected = (S @ (centred[..., None] + precision @ mu[..., None]))[..., 0]
    torch.testing.assert_close(q.mu, expected)
    torch.testing.assert_close(q.factor @ q.factor.mT, S)
    torch.testing.assert_close(q.log_det, 0.5 * torch.linalg.slogdet(S)[1])


def test_the_posterior_density_is_that_of_its_samples():
    noise = torch.Generator().manual_seed(2)
    mu, z = torch.randn(2, 1, 5, D_Z, generator=noise, dtype=torch.float64)
    factor = torch.randn(1, 5, D_Z, D_Z, generator=noise, dtype=torch.float64) + 3 * torch.eye(D_Z)
    q = Posterior(mu, factor, torch.linalg.slogdet(factor)[1])
    reference = MultivariateNormal(mu, covariance_matrix=factor @ factor.mT)
    torch.testing.assert_close(q.log_prob(z), reference.log_prob(z))
    torch.testing.assert_close(q.var, torch.diagonal(factor @ factor.mT, dim1=-2, dim2=-1))


@pytest.mark.parametrize("how", ["none", "centre", "standardise", "whiten"])
def test_elbos_are_in_units_of_the_data_whatever_the_preprocessing(how):
    """With a linear decoder at fixed weights, log p(x|z) must equal a Gaussian density written by hand in x."""
    vae, x, _, eps = build(preprocess=how)
    vae, x = vae.double(), x.double()
    z = eps.double()
    mean = vae.decoder(z).mean
    inverse = vae.scaling.x_inverse if vae.scaling.x_inverse.dim() == 2 else torch.diag(vae.scaling.x_inverse)
    covariance = torch.exp(2 * vae.likelihood.log_std[0, 0]) * inverse.T @ inverse
    by_hand = MultivariateNormal(mean, covariance_matrix=covariance).log_prob(x)
    # x_forward and x_inverse were each rounded to float32 (6e-8) before we went to float64
    torch.testing.assert_close(vae.decoder(z).log_prob(x), by_hand, rtol=1e-6, atol=1e-5)


def test_u_as_numbers_is_standardised_inside():
    config = Config(model=ModelConfig(latents=2), prior=GaussianPrior(), train=TrainConfig(seeds=(0,), betas=(1.0,)))
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    u = torch.linspace(100, 200, 50)[:, None]
    narrow, wide = Vae(config, Sizes(3, 1)), Vae(config, Sizes(3, 1))
    initialise(narrow, x, u)
    initialise(wide, x, 1000 * u)
    ours, theirs = narrow.prior(u[None]).moments(), wide.prior(1000 * u[None]).moments()
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert ours[0].std() > 0.01


@pytest.mark.parametrize(
    ("config", "sizes", "message"),
    [
        (Config(prior=GaussianPrior()), Sizes(5), "iVAE needs an auxiliary variable u"),
        (Config(model=ModelConfig(encoder="xu")), Sizes(5), "encoder q\\(z\\|x,u\\) needs u"),
        (Config(model=ModelConfig(net=ConvNet())), Sizes(5), "x is not pictures"),
        (Config(model=ModelConfig(net=ConvNet())), Sizes(64, x_shape=(8, 8)), "8 x 8 pixels"),
        (Config(model=ModelConfig(latents=3, rotation=((1.0, 0.0), (0.0, 1.0)))), Sizes(5), "rotation must be 3 x 3"),
    ],
)
def test_a_config_that_does_not_fit_gives_a_clear_message(config, sizes, message):
    with pytest.raises(ValueError, match=message):
        Vae(config, sizes)


@pytest.mark.slow
def test_more_importance_samples_never_lower_the_bound_on_average():
    vae, x, u, _ = build(likelihood=GaussianLikelihood(std=0.3))
    noise = torch.Generator().manual_seed(0)
    eps = torch.randn(256, 2, N, D_Z, generator=noise)
    with torch.no_grad():
        one = torch.stack([log_px(vae, x, u, e[None])[0] for e in eps]).mean(0)
        many, error = log_px(vae, x, u, eps)
    assert (many > one).all()
    assert (error > 0).all()


@pytest.mark.parametrize(
    ("likelihood", "x", "message"),
    [
        (PoissonLikelihood(), [[-1.0, 2.0]], "needs counts, and the smallest x is -1"),
        (NegativeBinomialLikelihood(), [[-1.0, 2.0]], "needs counts, and the smallest x is -1"),
        (BernoulliLikelihood(), [[0.0, 16.0]], "between 0 and 1, and x lies in 0 to 16"),
    ],
)
def test_x_that_the_likelihood_does_not_describe_is_refused(likelihood, x, message):
    config = Config(model=ModelConfig(likelihood=likelihood, preprocess="standardise"))
    with pytest.raises(ValueError, match=message):
        initialise(Vae(config, Sizes(2)), torch.tensor(x).expand(10, -1))


def test_latents_can_outnumber_dimensions():
    config = dataclasses.replace(Config(), model=ModelConfig(latents=6, preprocess="whiten"))
    vae = Vae(config, Sizes(2))
    x = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    initialise(vae, x)
    bound = vae.elbo(x.expand(4, -1, -1), None, torch.zeros(4, 100, 6))
    assert torch.isfinite(bound.elbo).all()


def test_the_leading_components_of_large_data_are_those_of_its_svd():

    generator = torch.Generator().manual_seed(0)
    spread = torch.logspace(0, -3, 40, dtype=torch.float64)
    left, right = (torch.linalg.qr(torch.randn(n, 40, generator=generator, dtype=torch.float64))[0] for n in (600, 550))
    found, axes = leading_components((left * spread) @ right.T, 5)
    torch.testing.assert_close(found, spread[:5])
    # up to sign
    torch.testing.assert_close((axes @ right[:, :5]).abs(), torch.eye(5, dtype=torch.float64), rtol=0, atol=1e-4)
