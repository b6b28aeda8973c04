"""One training step of a population: gather, bound, gradient, clip, Adam. It does not deal with files or time.

The data is one tensor on the device, which each member indexes in its own order. The order and the noise are functions
of (seed, epoch, block), so on a CPU a resumed run repeats the interrupted one bit-for-bit.
"""

import logging
import math
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from dvae_core.data.dataset import Dataset, PackedBits
from dvae_core.data.windows import around, neighbours
from dvae_core.model.likelihoods import Gaussian
from dvae_core.model.objectives import loss_weights, objective
from dvae_core.model.priors import ConditionalNormal
from dvae_core.model.turn import turn
from dvae_core.model.vae import Vae
from dvae_core.rng import generator, random_bytes
from dvae_core.training.device import keep_memory
from dvae_core.training.fused import Fused, covers
from dvae_core.training.optimiser import Optimiser

BOUND_EVERY = 4  # steps: only every fourth training bound is averaged, because it costs a tenth of a small net's step
BLOCK = 32  # number of steps whose noise is drawn at once
KEPT_AS_FLOATS = 2**22  # numbers: pictures larger than this stay bytes and are converted batch by batch
TURN_ROWS = 4000  # training rows behind the covariances of a turn
GATHERED_AT_ONCE = 2**19  # numbers: a block's batches are gathered together if they fit into a core's cache

log = logging.getLogger(__name__)


class Flat:
    """All parameters of a population in one row of numbers, so that Adam needs only one kernel.

    The parameters [p, ...] are stored one after the other. The module's parameters, and their `grad`s, become views of
    the row and of its gradient.
    """

    def __init__(self, module: nn.Module) -> None:
        self.parameters = parameters = list(module.parameters())
        self.p = parameters[0].shape[0]
        self.tensor = nn.Parameter(torch.cat([w.detach().flatten() for w in parameters]))
        self.grad = self.tensor.grad = torch.zeros_like(self.tensor)
        self.grads: list[Tensor] = []  # one for each parameter
        self.of_members: list[Tensor] = []  # the same in pieces [p, k]
        start = 0
        for w in parameters:
            stop = start + w.numel()
            w.data = self.tensor.data[start:stop].view(w.shape)
            w.grad = self.grad[start:stop].view(w.shape)
            self.grads.append(w.grad)
            self.of_members.append(w.grad.view(self.p, -1))
            start = stop
        if self.p == 1:
            self.of_members = [self.grad.view(1, -1)]
        self.norms = self.grad.new_zeros(len(self.of_members), self.p)
        self.norms_of = list(self.norms)

    def clip_each_member(self, running_norm: Tensor) -> Tensor | None:
        """Scale each member's gradient to at most twice its own running norm (updated in place, 0 = not started).

        A member whose gradient is not finite takes no step. The others are unaffected.

        Returns:
            Whether each member's gradient was finite, [p]; None if all were finite and none had to be clipped.
        """
        for piece, norm in zip(self.of_members, self.norms_of, strict=True):
            torch.linalg.vector_norm(piece, dim=1, out=norm)
        norm = torch.linalg.vector_norm(self.norms, dim=0)
        if norm.device.type == "cpu" and (norm <= 2 * running_norm).all():  # usually true; a GPU would have to wait
            running_norm.lerp_(norm, 0.01)
            return None
        finite = torch.isfinite(norm)
        before = torch.where(running_norm > 0, running_norm, norm)
        clipped = torch.minimum(norm, 2 * before)
        scale = (clipped / norm.clamp_min(1e-30)).unsqueeze(1)
        maybe_bad = norm.device.type != "cpu" or not finite.all()
        for piece in self.of_members:
            piece.mul_(scale)
            if maybe_bad:
                piece.masked_fill_(~finite[:, None], 0.0)
        torch.where(finite, torch.lerp(before, clipped, 0.01), running_norm, out=running_norm)
        return finite


def one_cycle(step: int, steps: int, peak: float) -> float:
    """Learning rate at a step: a cosine up from peak / 25 over the first 30 %, then a cosine down to peak / 1000."""
    up = 0.3 * steps
    low, high, t = (peak / 25, peak, step / up) if step < up else (peak / 1000, peak, (steps - step) / (steps - up))
    return low + (high - low) * 0.5 * (1 - math.cos(math.pi * min(t, 1.0)))


def annealed_std(step: int, steps: int) -> float:
    """Noise std at a step: geometric from 0.5 to 0.02 over the first 80 % of training, then constant."""
    return 0.5 * (0.02 / 0.5) ** min(step / (0.8 * steps), 1.0)


class Batches:
    """Gathers each member's batch from tensors that live on the device, in the member's own order.

    `stretch` numbers the contiguous stretches of the data (`data.windows.stretches`), if the model needs their order.
    With a prior over pairs an example is two neighbouring rows, which are next to each other in the batch.
    """

    def __init__(
        self, dataset: Dataset, rows: np.ndarray, vae: Vae, device: torch.device, stretch: np.ndarray | None = None
    ) -> None:
        train, model = vae.config.train, vae.config.model
        self.d_x, self.dropout = dataset.d_x, model.dropout
        self.d_seen = self.d_x * (1 + sum(model.window))
        self.around = None
        self.firsts = None  # with a prior over pairs: the position of each pair's first row
        if vae.config.needs_order and stretch is None:
            raise ValueError("A window or a prior over time needs the stretches of the recording.")
        if vae.config.prior.frames > 1 and stretch is not None:
            self.firsts = torch.from_numpy(neighbours(stretch, rows))
        if any(model.window) and stretch is not None:
            positions = np.searchsorted(rows, around(stretch, rows, model.window))  # within the training rows
            self.around = torch.from_numpy(positions).to(device)
        self.is_packed = isinstance(dataset.x, PackedBits)
        if isinstance(dataset.x, PackedBits):
            self.x, self.rows_of = _tensor_over(dataset.x.bits).to(device), torch.from_numpy(rows)
        elif self.around is None and dataset.x.dtype == np.uint8 and dataset.x.size > KEPT_AS_FLOATS:
            # x may be gigabytes: do not copy it
            self.x, self.rows_of = _tensor_over(dataset.x).to(device), torch.from_numpy(rows)
        else:
            self.x, self.rows_of = torch.from_numpy(dataset.x[rows].astype(np.float32)).to(device), None
        self.n, self.scale = len(rows), dataset.x_scale
        self.h, self.preprocess = None, vae.scaling
        if self.x.is_floating_point():  # preprocess once, unless x is kept as bytes to save memory
            with torch.no_grad():
                self.x, self.scale = self.x * self.scale, 1.0
                self.h = vae.scaling(self.x)
        u = dataset.u_features()
        if u is not None:
            u = np.ascontiguousarray(u if self.rows_of is not None else u[rows])
        self.u = None if u is None else _tensor_over(u).to(device)
        self.seeds, self.d_eps, self.device = train.seeds, model.latents * train.samples, device
        self.examples = len(rows) if self.firsts is None else len(self.firsts)
        batch = min(train.batch, self.examples)
        self.batch = batch * vae.config.prior.frames  # rows
        self.steps_per_epoch = self.examples // batch  # each epoch skips the last few examples of its order
        self.block: tuple[int, int] | None = None

    def at(self, step: int) -> tuple[Tensor, Tensor | None, Tensor, Tensor, Tensor | None]:
        """Return x, u or None, eps [p, b, samples d_z], the encoder's input h and `keep` for a step, all [p, b, ...].

        h is preprocessed x, of the whole window if there is one; for `keep` see `dropped`.
        """
        j = self._go_to(step)
        if self.gathered is None:
            x, u, h = self.gather(self.rows[j])
        else:
            x, u, h = self.gathered
            x, u, h = x[j], None if u is None else u[j], h[j]
        return x, u, self.eps[j], h, self.dropped(step)

    def drawn(self, step: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the rows [p, b], the eps and `keep` of a step."""
        j = self._go_to(step)
        return self.rows[j], self.eps[j], self.dropped(step)

    def dropped(self, step: int) -> Tensor | None:
        """Return the factors of input dropout, 0 or 1 / (1 - dropout), [p, b, d_seen]; None without dropout.

        Each member's mask depends only on its seed and the step. The share of zeros is rounded to a 256th, because a
        byte per input takes a fifth of the time of a float.
        """
        zeros = round(256 * self.dropout)
        if not zeros:
            return None
        masks = [random_bytes((self.batch, self.d_seen), seed, "drop", step) >= zeros for seed in self.seeds]
        return torch.stack(masks).to(self.device).float().mul_(256 / (256 - zeros))

    def gather(self, rows: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return x, u or None, and the encoder's input h, for these rows (any shape)."""
        flat = rows.flatten()
        x = self.x.index_select(0, flat)
        if self.is_packed:
            x = unpack(x, self.d_x)
        x = x.view(*rows.shape, -1).to(torch.float32)
        x = x if self.scale == 1 else x * self.scale
        u = None if self.u is None else self.u.index_select(0, flat).view(*rows.shape, -1)
        if self.h is None:
            return x, u, self.preprocess(x)
        seen = flat if self.around is None else self.around.index_select(0, flat).flatten()
        return x, u, self.h.index_select(0, seen).view(*rows.shape, -1)

    def some(self, count: int) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return x, u or None, and the encoder's input h, of about `count` evenly spaced training rows, [n, ...]."""
        rows = torch.arange(0, self.n, max(1, self.n // count))
        return self.gather((rows if self.rows_of is None else self.rows_of[rows]).to(self.device))

    def _go_to(self, step: int) -> int:
        epoch, i = divmod(step, self.steps_per_epoch)
        block, j = divmod(i, BLOCK)
        if self.block != (epoch, block):
            self._draw(epoch, block)
        return j

    def _draw(self, epoch: int, block: int) -> None:
        b, n = self.batch, self.examples
        if self.block is None or self.block[0] != epoch:
            self.orders = [torch.randperm(n, generator=generator(seed, "order", epoch)) for seed in self.seeds]
            if self.firsts is not None:
                firsts = [self.firsts[order] for order in self.orders]
                self.orders = [torch.stack([first, first + 1], 1).flatten() for first in firsts]
            if self.rows_of is not None:
                self.orders = [self.rows_of[order] for order in self.orders]
        start = block * BLOCK
        count = min(BLOCK, self.steps_per_epoch - start)
        rows = [order[start * b : (start + count) * b].view(count, b) for order in self.orders]
        eps = [
            torch.randn(count, b, self.d_eps, generator=generator(seed, "noise", epoch, block)) for seed in self.seeds
        ]
        self.rows = torch.stack(rows, 1).to(self.device)  # [count, p, b]: each step's are contiguous
        self.eps = torch.stack(eps, 1).to(self.device)
        numbers = self.rows.numel() * (self.d_seen + (0 if self.u is None else self.u.shape[1]))
        at_once = numbers <= GATHERED_AT_ONCE and self.device.type == "cpu"
        self.gathered = self.gather(self.rows) if at_once else None
        self.block = (epoch, block)


def unpack(bits: Tensor, d: int) -> Tensor:
    """Unpack bytes [n, d / 8] into 0s and 1s [n, d], with the first pixel in the highest bit (as in np.packbits)."""
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=bits.device)
    return ((bits[:, :, None] >> shifts) & 1).flatten(1)[:, :d]


def _tensor_over(array: np.ndarray) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "not writable": a Dataset's arrays are read-only, and nothing writes to them
        return torch.from_numpy(array)


class Sums:
    """Running sums of the training bound between two logged rows, kept on the device to avoid a wait at every step.

    If a member's gradient was not finite at some step in between, its sums are not finite either.
    """

    def __init__(self, p: int, d_z: int, device: torch.device) -> None:
        self.total = torch.zeros(p, 3 + d_z, device=device, dtype=torch.float64)
        self.count = 0

    def add(self, means: Tensor) -> None:
        """Add one batch's means, as from `Elbo.means`. The caller updates `count`: a replayed graph runs no Python."""
        self.total += means

    def not_finite(self) -> list[int]:
        """Return the members whose bound was not finite at some step since the last row."""
        return torch.nonzero(~torch.isfinite(self.total).all(1)).flatten().tolist()

    def take(self) -> np.ndarray:
        """Return the means [p, 3 + d_z] and reset the sums."""
        means = (self.total / max(self.count, 1)).cpu().numpy()
        self.total.zero_()
        self.count = 0
        return means


class Engine:
    """Trains a population step by step, and holds everything that changes: parameters, Adam, running norms, sums."""

    def __init__(self, vae: Vae, batches: Batches) -> None:
        self.vae, self.batches, self.config = vae, batches, vae.config
        self.steps = self.config.train.epochs * batches.steps_per_epoch
        self.every = min(max(self.steps // 50, 1), 200)  # steps between two logged rows
        device = batches.device
        if device.type == "cpu":
            keep_memory()
        self.flat = Flat(vae)
        self.optimiser = Optimiser(self.config.train.optimiser, vae, self.flat.tensor, self.config.train.rates)
        is_shared = bool(getattr(self.config.prior, "shared", ""))
        self.fixed = [w.grad for w in vae.prior.parameters() if w.grad is not None] if is_shared else []
        self.running_norm = torch.zeros(vae.p, device=device)
        self.sums = Sums(vae.p, self.config.model.latents, device)
        self.weights = loss_weights(self.config.train).to(device)
        is_annealed = getattr(self.config.model.likelihood, "noise", None) == "annealed"
        self.annealed = vae.likelihood if is_annealed and isinstance(vae.likelihood, Gaussian) else None
        self.fused = Fused(vae, self.weights[:, 1]) if covers(vae) else None
        self.turn_step = round(getattr(self.config.prior, "turn_at", 0.0) * self.steps)
        # Whether the prior has been turned; None if it never is. A recorded graph could not contain the turn.
        self.is_turned = vae.prior.is_turned if isinstance(vae.prior, ConditionalNormal) else None
        self.recorded = Recorded(self) if device.type == "cuda" and self.is_turned is None else None

    def step(self, step: int) -> None:
        """Take step number `step`."""
        if self.annealed is not None:
            self.annealed.set_std(annealed_std(step, self.steps))
        if self.is_turned is not None and step == self.turn_step:
            turn(self.vae, *self.batches.some(TURN_ROWS))
        lr = one_cycle(step, self.steps, max(self.config.train.rates))
        if self.recorded is None:
            with_bound = (step + 1) % min(BOUND_EVERY, self.every) == 0 or step + 1 == self.steps
            self.sums.count += self.move(*self.batches.at(step), lr, with_bound=with_bound)
        else:
            self.recorded.step(step, lr)
            self.sums.count += 1

    def move(
        self,
        x: Tensor,
        u: Tensor | None,
        eps: Tensor,
        h: Tensor,
        keep: Tensor | None,
        lr: float | Tensor,
        *,
        with_bound: bool = True,
    ) -> bool:
        """Compute and clip a batch's gradient, step the optimiser; return whether the bound was added to the sums."""
        if self.fused is None:
            bound, loss = objective(self.vae, x, u, eps, self.weights, self.batches.n, h, keep)
            # `materialize_grads`: after a turn the prior's full covariances are no longer part of the loss.
            new = torch.autograd.grad(loss.sum(), self.flat.parameters, materialize_grads=self.is_turned is not None)
            for grad, value in zip(self.flat.grads, new, strict=True):
                grad.copy_(value)
            means = bound.means()
        else:
            means = self.fused(x, u, eps, h, keep, with_bound=with_bound)
        with torch.inference_mode():
            for grad in self.fixed:
                grad.zero_()
            finite = self.flat.clip_each_member(self.running_norm)
            self.optimiser.step(lr)
            if means is not None:
                self.sums.add(means)
            if finite is not None:
                self.sums.total.masked_fill_(~finite[:, None], torch.nan)
        return means is not None

    def state(self) -> dict[str, np.ndarray]:
        """Return everything that a resumed run needs, as arrays for `restore`."""
        arrays = {k: v.cpu().numpy() for k, v in self.moving().items()}
        return {**arrays, "count": np.array(self.sums.count)}

    def moving(self) -> dict[str, Tensor]:
        """Return every tensor that a step changes, by name."""
        own: dict[str, Tensor] = {
            "parameters": self.flat.tensor.detach(),
            "running_norm": self.running_norm,
            "sums": self.sums.total,
        }
        own |= {} if self.is_turned is None else {"is_turned": self.is_turned}
        return own | self.optimiser.state()

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        for name, tensor in self.moving().items():
            tensor.copy_(torch.from_numpy(np.array(state[name])))
        self.sums.count = int(state["count"])


class Recorded:
    """A whole step of an engine, including indices and learning rate, as one CUDA graph that every step replays.

    A small net's step is some hundred kernels of a few microseconds each, so a GPU mostly waits for launches.
    If a step cannot be captured, it runs as usual, and the log gives the reason.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine, batches = engine, engine.batches
        shape = (len(batches.seeds), batches.batch)
        self.rows = torch.zeros(shape, dtype=torch.int64, device=batches.device)
        self.eps = torch.zeros(*shape, batches.d_eps, device=batches.device)
        self.keep = torch.ones(*shape, batches.d_seen, device=batches.device) if batches.dropout else None
        self.lr = torch.zeros((), device=batches.device)
        self.replay: Callable[[], None] | None = None

    def step(self, step: int, lr: float) -> None:
        """Take a step: fill the buffers that the graph reads, and replay it. This never waits for the GPU."""
        rows, eps, keep = self.engine.batches.drawn(step)
        self.rows.copy_(rows)
        self.eps.copy_(eps)
        if self.keep is not None and keep is not None:
            self.keep.copy_(keep)
        self.lr.fill_(lr)
        if self.replay is None:
            self.replay = self._record()
        self.replay()

    def _move(self) -> None:
        x, u, h = self.engine.batches.gather(self.rows)
        self.engine.move(x, u, self.eps, h, self.keep, self.lr)

    def _record(self) -> Callable[[], None]:
        before = {k: v.clone() for k, v in self.engine.moving().items()}
        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):  # libraries initialise at their first calls, which must not be captured
                    self._move()
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._move()
            return graph.replay
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            log.warning("Steps are launched kernel by kernel; no CUDA graph: %s", str(error).split("\n", 1)[0])
            return self._move
        finally:  # undo the warm-up steps
            for k, v in self.engine.moving().items():
                v.copy_(before[k])
