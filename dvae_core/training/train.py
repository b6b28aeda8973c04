"""The training loop: a generator of Progress that keeps a Run folder up to date.

All members train together, step by step in `engine`. This module holds the loop, the timing, the files, and resuming.
"""

import math
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch

from dvae_core.config import ConvNet, FileData
from dvae_core.data.dataset import Dataset
from dvae_core.data.split import split
from dvae_core.metrics import stuck
from dvae_core.model.start import initialise
from dvae_core.model.vae import Vae
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of, facts_of
from dvae_core.runs.files import os_error_message
from dvae_core.runs.run import LATENT_ROWS
from dvae_core.training.checkpoint import read_checkpoint, restore_scaling, sizes_of, write_weights
from dvae_core.training.device import choose_device, choose_threads, describe_device
from dvae_core.training.engine import Batches, Engine
from dvae_core.training.record import HELD_OUT_ROWS, HeldOut, History, order_of, windowed, write_latents
from dvae_core.training.shared import take_prior

T = TypeVar("T")
CHECKPOINT_SECONDS = float(os.environ.get("DVAE_CHECKPOINT_SECONDS", "10"))
LIVE_SECONDS = 1.0
SHARE = 20  # live latents, checkpoints and held-out bounds may each take at most 1 / SHARE of the time
STATUS_SECONDS = 0.2  # people read no faster than this, and each status is a file flushed to disk
LOOK_SECONDS = 0.1  # between two checks for STOP
START_NUMBERS = 2**24  # of x, for whitening and initialisation; larger data is thinned evenly


@dataclass(frozen=True)
class Progress:
    """The state of training: `elbo` [p] is held-out, in nats per example; `failed` lists diverged members."""

    step: int
    steps: int
    seconds: float
    seconds_left: float | None
    elbo: np.ndarray
    failed: tuple[int, ...]


def train(
    run: Run, dataset: Dataset | None = None, *, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[Progress]:
    """Train the population of `run`, from the start or from its last checkpoint, and keep its folder up to date.

    Args:
        run: A run made by `runs.create`, or a stopped one.
        dataset: The data, if already loaded; otherwise the config says what to load.
        should_stop: Called about ten times a second. Once it returns true, training stops and can be resumed.

    Yields:
        Progress at step 0 and at each logged step. Stopping (a STOP file in the folder, `should_stop`, or closing the
        generator) writes a checkpoint first.

    Raises:
        RunError: If the run is finished, in use by another process, or its data has changed.
        ValueError: If config and data do not fit, or the device is absent.
    """
    with run.lock():
        status = run.status()
        if status.state == "finished":
            raise RunError(f"Run {run.id} is finished; there is nothing to resume.")
        if status.state == "stopped":
            (run.path / "STOP").unlink(missing_ok=True)  # that stop has been carried out; a queued run still honours it
        run.unseal()
        run.set_status(
            state="warming",
            message="Loading the data",
            pid=os.getpid(),
            host=socket.gethostname(),
            failed_members=[],
        )
        try:
            yield from _train(run, dataset, time.time(), should_stop)
        except GeneratorExit:
            raise
        except (ValueError, RuntimeError, OSError, MemoryError) as error:
            run.fail(_message(error))
            raise
        (run.path / "STOP").unlink(missing_ok=True)


def _train(run: Run, dataset: Dataset | None, began: float, should_stop: Callable[[], bool]) -> Iterator[Progress]:
    training = _Training(run, data_of(run, dataset))
    engine, state = training.engine, training.state
    status, latents, checkpoint, look = map(Throttle, (STATUS_SECONDS, LIVE_SECONDS, CHECKPOINT_SECONDS, LOOK_SECONDS))
    try:
        if state.step == 0:
            yield training.progress()
        while state.step < engine.steps:
            engine.step(state.step)
            state.step += 1
            is_last = state.step == engine.steps
            if state.step % engine.every == 0 or is_last:
                training.log()
                status(training.write_status)
                if not is_last:
                    latents(training.write_latents)
                    checkpoint(training.checkpoint)
                yield training.progress()
            if look(lambda: should_stop() or (run.path / "STOP").exists()):
                break
    except GeneratorExit:
        training.stopped()
        raise
    if state.step < engine.steps:
        training.stopped()
        training.write_latents()
    else:
        training.finish(began)


@dataclass
class State:
    """The state of a run, apart from the tensors that `Engine` changes."""

    step: int = 0
    seconds: float = 0.0  # spent training in earlier sessions
    failed: dict[int, int] = field(default_factory=dict)  # diverged members: the step at which it was detected


class _Training:
    """One session of training a run: the objects that it works on, and the files that it writes."""

    def __init__(self, run: Run, dataset: Dataset) -> None:
        config = run.config
        device = choose_device(config.train.device)
        parts = split(dataset, config.split, gap=config.gap)
        facts = facts_of(dataset, parts, drawn=not isinstance(config.data, FileData))
        if dataset.reduced_by is not None:
            run.write_npz("components.npz", dataset.reduced_by.as_arrays())
        run.write_json("about.json", {**run.about, **facts})
        self.run, self.config = run, config
        self.vae = vae = Vae(config, sizes_of(dataset))
        if device.type == "cpu":  # set before computing anything: the number of threads changes the last bits of sums
            madds = _madds(vae, min(config.train.batch, len(parts.train)))
            torch.set_num_threads(choose_threads(madds, os.cpu_count() or 1))
        u = dataset.u_features()
        window = config.model.window
        stretch = order_of(config, dataset, parts)
        seen = parts.train[:: max(1, len(parts.train) * dataset.d_x * (1 + sum(window)) // START_NUMBERS)]
        x = torch.from_numpy(windowed(dataset, seen, window, stretch))
        initialise(vae, x, None if u is None else torch.from_numpy(u[seen]))
        if getattr(config.prior, "shared", ""):
            take_prior(vae, dataset)
        checkpoint = read_checkpoint(run)
        if checkpoint is not None:
            restore_scaling(run, vae)
        vae.to(device)
        self.engine = Engine(vae, Batches(dataset, parts.train, vae, device, stretch))
        self.held_out = HeldOut(dataset, parts.held_out, vae, device, stretch)
        # A batch of held-out bounds costs a third of a step (360 rows after every 8th step at batch 64 took a quarter
        # of the time).
        rows, batch, every = self.held_out.x.shape[1], self.engine.batches.batch, self.engine.every
        self.apart = every * math.ceil(SHARE * rows / (3 * batch * every))
        run.set_status(
            state="running", message="", steps=self.engine.steps, device=describe_device(device),
            torch=torch.__version__, dtype="float32",
        )  # fmt: skip
        self.state = self._resumed(checkpoint)
        self.first, self.clock = self.state.step, time.time()

    def _resumed(self, checkpoint: dict[str, np.ndarray] | None) -> State:
        path = self.run.path / "history.csv"
        if checkpoint is None:
            path.unlink(missing_ok=True)
            self.history = History(self.run, self.config)
            self.history.add(0, self.held_out.elbo(self.vae), "held_out", 0.0)
            return State()
        self.run.write("history.csv", path.read_bytes()[: int(checkpoint["history"][0])])
        self.history = History(self.run, self.config)
        self.engine.restore(checkpoint)
        self.held_out.elbo(self.vae)  # sets `last`
        failed = {int(m): int(step) for m, step in checkpoint["failed"]}
        return State(int(checkpoint["step"]), float(checkpoint["seconds"]), failed)

    def seconds(self) -> float:
        """Seconds of training, including earlier sessions."""
        return self.state.seconds + time.time() - self.clock

    def progress(self) -> Progress:
        """Return the state of training."""
        step, steps, done = self.state.step, self.engine.steps, self.state.step - self.first
        left = (time.time() - self.clock) / done * (steps - step) if done else None
        seconds = self.seconds() if done else 0.0
        return Progress(step, steps, seconds, left, self.held_out.last, tuple(sorted(self.state.failed)))

    def log(self) -> None:
        """Add a row to the curves for the training bound and, less often, one for the held-out bound."""
        step, now = self.state.step, self.seconds()
        for m in self.engine.sums.not_finite():
            self.state.failed.setdefault(m, step)
        self.history.add(step, self.engine.sums.take(), "train", now)
        if step % self.apart == 0 or step == self.engine.steps:
            self.history.add(step, self.held_out.elbo(self.vae), "held_out", now)

    def write_status(self, **more: object) -> None:
        """Write the step, the time and the diverged members, with any further fields in `more`."""
        state = self.state
        self.run.set_status(step=state.step, seconds=self.seconds(), failed_members=sorted(state.failed), **more)

    def write_latents(self, rows: int = HELD_OUT_ROWS) -> dict[str, np.ndarray]:
        """Write and return latents.npz for some of the held-out rows."""
        return write_latents(self.run, self.vae, self.held_out, rows=rows)

    def checkpoint(self) -> None:
        """Write the weights, and what a later session needs to continue bit-for-bit."""
        state = self.state
        write_weights(self.run, self.vae)  # first: a checkpoint needs the scaling stored with them
        self.run.write_tensors(
            "resume.safetensors",
            {
                "step": np.array(state.step),
                "seconds": np.array(self.seconds()),
                "failed": np.array(sorted(state.failed.items()), np.int64).reshape(-1, 2),
                "key": np.array(int(self.config.key(), 16)),
                "history": self.history.size_and_digest(),
                **self.engine.state(),
            },
        )

    def stopped(self) -> None:
        """Leave the run in a state that can be resumed."""
        self.checkpoint()
        self.write_status(state="stopped", message="Stopped; Resume continues from here.")

    def finish(self, began: float) -> None:
        """Write the final weights and latents, and the members that diverged or are stuck."""
        failed, seeds = self.state.failed, self.config.train.seeds
        write_weights(self.run, self.vae)
        arrays = self.write_latents(LATENT_ROWS)
        known = arrays.get("kl_latent", np.full((self.vae.p, self.config.model.latents), np.inf))
        late = stuck(arrays["elbo"], known, self.config.train.betas)
        late = {m: why for m, why in late.items() if m not in failed}
        lost = [f"{len(failed)} of {self.vae.p} members diverged and are shown as failed."] if failed else []
        lost += [f"Seed {seeds[m]} is stuck: {why}." for m, why in late.items()]
        self.write_status(
            state="finished", message=" ".join(lost), stuck_members=list(late), total_seconds=time.time() - began
        )
        self.run.remove("resume.safetensors")  # three times the size of the weights, and never read again


class Throttle:
    """Calls a function at most every `seconds`, and less often if it takes more than one part in SHARE of the time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.due = time.time() + seconds

    def __call__(self, work: Callable[[], T]) -> T | None:
        """Call it if it is due, and return what it returns; None otherwise."""
        start = time.time()
        if start < self.due:
            return None
        result = work()
        self.due = time.time() + max(self.seconds, SHARE * (time.time() - start))
        return result


def _madds(vae: Vae, batch: int) -> float:
    """Estimate the multiply-adds of a training step, as 3 passes through every weight for every example."""
    convolutional = isinstance(vae.config.model.net, ConvNet)
    reuse = 256 if convolutional else 1  # a kernel is applied at some hundred positions
    return 3.0 * batch * reuse * sum(w.numel() for w in vae.parameters())


def _message(error: Exception) -> str:
    if isinstance(error, OSError):
        message = os_error_message(error)
        return f"{message[0].upper()}{message[1:]} What was saved before is still there: Retry continues from it."
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return "The device ran out of memory; try half the batch size, or fewer members."
    return str(error).split("\n", 1)[0]
