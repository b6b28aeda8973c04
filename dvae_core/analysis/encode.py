"""Encode any rows of a data set with a run's encoder, in parts so that memory stays bounded."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dvae_core.config import Config
from dvae_core.data.dataset import Dataset
from dvae_core.data.split import split
from dvae_core.model.vae import Vae, member
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import matched
from dvae_core.training.checkpoint import load_vae
from dvae_core.training.record import order_of, windowed

SCORED_ROWS = 20_000  # held-out rows used for scores; up to twice as many where a stride of 2 would leave fewer
NUMBERS_AT_ONCE = 4_000_000  # values of x times members: 16 MB as float32


def scored_rows(held_out: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """Return the held-out rows that latents are scored on: all of them, or of many, rows at equal distances."""
    return held_out[:: max(1, len(held_out) // SCORED_ROWS)]


def check_member(run: Run, index: int) -> None:
    """Raise a RunError unless the run has this member."""
    if not 0 <= index < run.config.members:
        raise RunError(f"This run has members 0 to {run.config.members - 1}; got {index}.")


def opened(run: Run, index: int) -> Vae:
    """Return one member as a separate model, in float64.

    Raises:
        RunError: If there is no such member, or it diverged.
    """
    check_member(run, index)
    vae = member(load_vae(run), index).double().eval()
    if not all(w.isfinite().all() for w in vae.parameters()):
        raise RunError(f"Member {index} diverged: its weights are not finite; pick another member.")
    return vae


def stretches_of(vae: Vae, dataset: Dataset, *, is_other: bool = False) -> Int[np.ndarray, " n"] | None:
    """Return the stretches that the encoder's window must not leave; None if it has no window.

    They end at the borders of the run's split, unless this is other data than the run was trained on.
    """
    if not any(vae.config.model.window):
        return None
    return order_of(vae.config, dataset, None if is_other else split(dataset, vae.config.split, gap=vae.config.gap))


def inputs(
    vae: Vae,
    dataset: Dataset,
    rows: np.ndarray,
    *,
    u_rows: np.ndarray | None = None,
    stretch: np.ndarray | None = None,
) -> tuple[Float[Tensor, "p n d_seen"], Tensor | None]:
    """Return x of some rows, and u [p, n, d_u] if the model and the data have one, in the model's precision.

    Every member gets the same. If the encoder has a window, x has the rows around each one side by side.

    Args:
        vae: The population.
        dataset: The data.
        rows: Which rows of it.
        u_rows: The rows whose u is used instead, if given.
        stretch: The result of `stretches_of`, computed here if None.
    """
    dtype = vae.scaling.u_mean.dtype
    stretch = stretches_of(vae, dataset) if stretch is None else stretch
    x = torch.from_numpy(windowed(dataset, rows, vae.config.model.window, stretch)).to(dtype).expand(vae.p, -1, -1)
    if not vae.sizes.d_u or dataset.u is None:
        return x, None
    features = torch.from_numpy(dataset.features_of(dataset.u[rows if u_rows is None else u_rows])).to(dtype)
    return x, features.expand(vae.p, -1, -1)


def in_parts(
    vae: Vae, dataset: Dataset, rows: np.ndarray, *, u_rows: np.ndarray | None = None, is_other: bool = False
) -> Iterator[tuple[int, Tensor, Tensor | None]]:
    """Iterate over the rows in parts: yield the position of a part's first row, and its `inputs`."""
    frames = vae.config.prior.frames  # no part ends within an example
    size = frames * max(1, NUMBERS_AT_ONCE // (dataset.d_x * (1 + sum(vae.config.model.window)) * vae.p * frames))
    stretch = stretches_of(vae, dataset, is_other=is_other)
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        of_u = None if u_rows is None else u_rows[part]
        yield start, *inputs(vae, dataset, rows[part], u_rows=of_u, stretch=stretch)


@torch.no_grad()
def encode(
    vae: Vae, dataset: Dataset, rows: np.ndarray, *, u_rows: np.ndarray | None = None, is_other: bool = False
) -> tuple[Float[np.ndarray, "p n d_z"], Float[np.ndarray, "p n d_z"] | None]:
    """Return means and standard deviations of q(z|x, u), which a gauss-newton posterior refines with x and u.

    With a student, the means are those of e(x) and there are no standard deviations. `u_rows`: the rows whose u is used
    instead, if given.
    """
    if vae.student_net is not None:
        return encoder_means(vae, dataset, rows, is_other=is_other), None
    sees_u, parts = needs_u(vae.config), in_parts(vae, dataset, rows, u_rows=u_rows, is_other=is_other)
    q = [vae.encoder(x, u if sees_u else None) for _, x, u in parts]
    return torch.cat([part.mu for part in q], 1).numpy(), torch.cat([part.var.sqrt() for part in q], 1).numpy()


@torch.no_grad()
def encoder_means(
    vae: Vae, dataset: Dataset, rows: np.ndarray, *, u_rows: np.ndarray | None = None, is_other: bool = False
) -> Float[np.ndarray, "p n d_z"]:
    """Return the encoder's own means, before any refinement: e(x), or e(x, u) if the encoder sees u and has no student.

    `u_rows`: the rows whose u such an encoder is given instead, if given.
    """
    sees_u = encoder_sees_u(vae.config)
    parts = in_parts(vae, dataset, rows, u_rows=u_rows, is_other=is_other)
    return torch.cat([vae.amortised(x, u if sees_u else None) for _, x, u in parts], 1).numpy()


def encode_only(run: Run, dataset: Dataset) -> dict[str, Float[np.ndarray, "p n d_z"]]:
    """Return mu_z and std_z of all rows of a data set, which need not be the one that the run was trained on.

    Of a run with a student there is only mu_z, the means of e(x). A window ends at gaps, trials and sessions. Columns
    and labels are matched by name, in any order.

    Raises:
        DataError: If the data has other columns than the run was trained on, or lacks the u its posterior needs.
    """
    vae = load_vae(run)
    dataset = matched(run, dataset, needs_u=needs_u(run.config))
    mu, std = encode(vae, dataset, np.arange(dataset.n), is_other=True)
    return {"mu_z": mu} if std is None else {"mu_z": mu, "std_z": std}


def rows_of_another_u(dataset: Dataset, rows: np.ndarray) -> np.ndarray | None:
    """Return for each row another one, drawn at random, with another label of u, or with any u if u is numeric.

    None if the data has no u, or all of these rows have the same label.
    """
    if dataset.u is None:
        return None
    rng = np.random.default_rng(0)
    if not dataset.has_labels:
        return rng.permutation(rows)
    label = dataset.u[rows]
    if (label == label[0]).all():
        return None
    other = np.empty_like(rows)
    for code in np.unique(label):
        other[label == code] = rng.choice(rows[label != code], int((label == code).sum()))
    return other


def needs_u(config: Config) -> bool:
    """Whether the latents of x that a run shows cannot be computed without u."""
    refined = config.model.posterior == "gauss-newton" and config.is_conditional
    return not config.model.student and (config.model.encoder == "xu" or refined)


def encoder_sees_u(config: Config) -> bool:
    """Whether the encoder's own means are those of e(x, u)."""
    return config.model.encoder == "xu" and not config.model.student


def describe_codes(config: Config) -> str:
    """Describe the scored codes, and what the encoder and the refinement have seen."""
    if config.model.student:
        return "means of e(x), a student of q(z|x,u) that sees x alone"
    seen = "x and u" if config.model.encoder == "xu" else "x"
    if config.model.posterior == "gauss-newton":
        by = "x and u" if config.is_conditional else "x"
        return f"posterior means, refined with {by}; the encoder alone sees {seen}"
    return f"posterior means, the encoder sees {seen}"
