"""The results that training writes: history.csv, the curves, and latents.npz, the held-out rows in latent space."""

import hashlib

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dvae_core.axes import evenly
from dvae_core.config import JOINT, Config
from dvae_core.data.dataset import Dataset
from dvae_core.data.split import Split
from dvae_core.data.windows import around, paired, stretches
from dvae_core.model.priors import GivenNormal
from dvae_core.model.time_prior import OverTime
from dvae_core.model.vae import Posterior, Vae, log_weights
from dvae_core.rng import generator
from dvae_core.runs import Run

HELD_OUT_ROWS = 500  # rows behind each held-out point of the curves; the scores use all of them
BOUND_SAMPLES = 8  # samples of z per row, behind every reported ELBO


class History:
    """history.csv: append-only rows, one per logged step, member and split."""

    def __init__(self, run: Run, config: Config) -> None:
        self.path, self.config = run.path / "history.csv", config
        if not self.path.exists():
            latents = [f"kl_{i + 1}" for i in range(config.model.latents)]
            names = [
                "step",
                "member",
                "seed",
                "beta",
                "split",
                "seconds",
                "elbo",
                "recon",
                "kl",
                "kl_dependence",
                *latents,
            ]
            self.path.write_text(",".join(names) + "\n", encoding="utf-8")

    def size_and_digest(self) -> np.ndarray:
        """Return the number of bytes written so far and the 32 bytes of their SHA-256."""
        written = self.path.read_bytes()
        return np.array([len(written), *hashlib.sha256(written).digest()])

    def add(self, step: int, parts: np.ndarray, which: str, seconds: float) -> None:
        """Append one row per member. `parts` is as from HeldOut.elbo."""
        lines = []
        for m, (seed, beta) in enumerate(zip(self.config.train.seeds, self.config.train.betas, strict=True)):
            recon, kl, dependence, *of_latents = parts[m]
            if self.config.prior.kind in JOINT:
                of_latents = [np.nan] * len(of_latents)
            numbers = [recon - kl, recon, kl, dependence, *of_latents]
            lines.append(f"{step},{m},{seed},{beta:g},{which},{seconds:.3f}," + ",".join(f"{v:.6g}" for v in numbers))
        with open(self.path, "a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


class HeldOut:
    """The held-out rows on the device, and each member's bound on an evenly spaced subset of them, with fixed noise.

    `stretch` is as in `engine.Batches`.
    """

    def __init__(
        self, dataset: Dataset, rows: np.ndarray, vae: Vae, device: torch.device, stretch: np.ndarray | None = None
    ) -> None:
        config = vae.config
        self.dataset, self.config, self.device, self.stretch = dataset, config, device, stretch
        self.rows = examples(config, rows, stretch)
        self.last = np.full(config.members, np.nan)
        x, self.u = self.take(HELD_OUT_ROWS)[1:]
        self.x, self.h = vae.row(x), vae.scaling(x[0]).expand_as(x)
        d_z = config.model.latents
        noise = [torch.randn(self.x.shape[1], d_z, generator=generator(s, "held out")) for s in config.train.seeds]
        self.eps = torch.stack(noise).to(device)

    def take(self, count: int) -> tuple[np.ndarray, Tensor, Tensor | None]:
        """Return (rows [n], x [p, n, d_seen], u [p, n, d_u] or None): evenly spaced examples, at most `count` rows."""
        p, frames = self.config.members, self.config.prior.frames
        chosen = self.rows.reshape(-1, frames)
        chosen = chosen[evenly(len(chosen), count // frames)].ravel()
        seen = windowed(self.dataset, chosen, self.config.model.window, self.stretch)
        x = torch.from_numpy(seen).to(self.device).expand(p, -1, -1)
        u = self.dataset.u_features()
        return chosen, x, None if u is None else torch.from_numpy(u[chosen]).to(self.device).expand(p, -1, -1)

    @torch.no_grad()
    def elbo(self, vae: Vae) -> np.ndarray:
        """Return mean (recon, kl, kl_dependence, kl_1..kl_d) per member, [p, 3 + d_z], nats per example."""
        means = vae.eval().elbo_of(self.h, self.x, self.u, self.eps).means().double().cpu().numpy()
        vae.train()
        self.last = means[:, 0] - means[:, 1]
        return means


def examples(config: Config, rows: np.ndarray, stretch: np.ndarray | None) -> np.ndarray:
    """Return the rows on which the bound is computed: with a prior over pairs, the neighbours among them, in pairs."""
    if config.prior.frames == 1:
        return rows
    if stretch is None:
        raise ValueError("A prior over time needs the stretches of the recording.")
    return paired(stretch, rows)


def order_of(config: Config, dataset: Dataset, parts: Split | None) -> np.ndarray | None:
    """Return the contiguous stretches of the data, if the model needs their order: `data.windows.stretches`."""
    if not config.needs_order:
        return None
    return stretches(dataset, parts, "A window" if any(config.model.window) else "A prior over time")


def windowed(
    dataset: Dataset, rows: np.ndarray, window: tuple[int, int], stretch: np.ndarray | None
) -> Float[np.ndarray, "n d_seen"]:
    """Return what an encoder sees of these rows: x, or with a window the rows around each side by side."""
    if stretch is None or not any(window):
        return dataset.x_float(rows)
    at = around(stretch, rows, window)
    return dataset.x_float(at.ravel()).reshape(len(rows), -1)


def sampled_elbo(
    vae: Vae, x: Tensor, u: Tensor | None, eps: Float[Tensor, "s p n d_z"], q: Posterior | None = None
) -> tuple[Float[Tensor, "p n"], Float[Tensor, "p n"], Posterior]:
    """Return each row's ELBO, nats, the mean of log p(x, z) - log q(z) over samples, that mean's variance, and q.

    With eight samples the mean over 1,000 rows of the talk's run has an error of .004 nats. With one sample of
    log p(x|z) - KL the error is .04.
    """
    q = vae.encoder(x, u) if q is None else q
    log_w = log_weights(vae, x, u, eps, q)
    return log_w.mean(0), log_w.var(0, correction=1) / len(eps), q


@torch.no_grad()
def write_latents(run: Run, vae: Vae, held_out: HeldOut, rows: int) -> dict[str, np.ndarray]:
    """Write latents.npz, the data that pages show for the held-out rows of all members, and return its contents.

    Arrays: index [n] (rows of the data set), mu_z, std_z, prior_mu, prior_logvar [p, n, d_z], kl_latent [p, d_z]
    (nats), elbo, elbo_error, recon, kl [p] (see `sampled_elbo`; recon = elbo + kl), elbo_rows [p, n]; prior_z [p, n,
    d_z], a draw from p(z|u) at each row's u if that is not Gaussian (the other two are then its mean and log
    variance); u [n] or [n, d_u], z_true [n, d], x [k, d_x] in the model's units with x_rows [k] (positions in the
    first n: all of them unless x is large). memory [p, d_z] is the learned a of a prior over time. A mixture has no
    kl_latent, because it is not factorial.

    With a prior over pairs the rows are pairs of neighbours, and each elbo_rows is a row's share of its pair's bound.

    With a student, mu_z are the means of e(x), which never saw u; everything else is that of the teacher q(z|x,u).
    """
    dataset = held_out.dataset
    chosen, x, u = held_out.take(rows)
    vae.eval()
    frames = vae.config.prior.frames
    size = frames * max(1, 2_000_000 // (x.shape[2] * vae.p * frames))
    parts = [
        _latents_of(vae, x[:, part], None if u is None else u[:, part], int(part[0]))
        for part in torch.arange(len(chosen), device=x.device).split(size)
    ]
    vae.train()
    found = {name: torch.cat([part[name] for part in parts], 1) for name in parts[0]}
    elbo, variance, kl, kl_latent = (found.pop(k).double() for k in ("elbo", "variance", "kl", "kl_latent"))
    bound, mean_kl = elbo.mean(1), kl.mean(1)
    shown = evenly(len(chosen), max(64, 500_000 // dataset.d_x))
    arrays = {name: tensor.cpu().numpy() for name, tensor in found.items()} | {
        "index": chosen, "recon": (bound + mean_kl).cpu().numpy(), "kl": mean_kl.cpu().numpy(),
        "elbo": bound.cpu().numpy(), "elbo_error": np.sqrt(variance.mean(1).cpu().numpy() / len(chosen)),
        "elbo_rows": elbo.cpu().numpy().astype(np.float32), "x": dataset.x_float(chosen[shown]), "x_rows": shown,
    }  # fmt: skip
    if vae.config.prior.kind not in JOINT:
        arrays["kl_latent"] = kl_latent.mean(1).cpu().numpy()
    if isinstance(vae.prior, OverTime):
        arrays["memory"] = vae.prior.memory.detach().cpu().numpy()
    if dataset.u is not None:
        arrays["u"] = dataset.u[chosen]
    if dataset.z is not None:
        arrays["z_true"] = dataset.z[chosen]
    run.write_npz("latents.npz", arrays)
    return arrays


def _latents_of(vae: Vae, x: Tensor, u: Tensor | None, first: int) -> dict[str, Tensor]:
    """Return the latents of some rows, and their bounds: each [p, n] or [p, n, d_z]. `first`: position of the first."""

    def noise(use: str, *shape: int) -> Tensor:  # [p, *shape]
        return torch.stack([torch.randn(shape, generator=generator(s, use, first)) for s in vae.config.train.seeds])

    n, d_z = x.shape[1], vae.config.model.latents
    eps = noise("latents", n, d_z).to(x.device)
    bound, prior = vae.elbo(x, u, eps), vae.prior(u)
    q = bound.q
    prior_mu, prior_logvar = (moment.expand_as(q.mu) for moment in prior.moments())
    found = {
        "mu_z": q.mu if vae.student_net is None else vae.amortised(x), "std_z": q.var.sqrt(),
        "prior_mu": prior_mu, "prior_logvar": prior_logvar, "kl": bound.kl, "kl_latent": bound.kl_latent,
    }  # fmt: skip
    if not isinstance(prior, GivenNormal):  # the app samples Gaussians itself, from their moments
        found["prior_z"] = prior.sample(torch.special.ndtr(eps).clamp(1e-6, 1 - 1e-6))
    more = noise("latents-bound", BOUND_SAMPLES, n, d_z).transpose(0, 1).to(x.device)
    found["elbo"], found["variance"], _ = sampled_elbo(vae, x, u, more, q)
    return found
