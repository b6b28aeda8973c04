"""The training loop: a generator of Progress that keeps a Run folder up to date.

All members train in one program, step by step in `engine`; here are the clock, the files, and resuming.
"""

import math
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from dvae_core.config import ConvNet
from dvae_core.data.dataset import Dataset, split
from dvae_core.metrics import stuck
from dvae_core.model.start import initialise
from dvae_core.model.vae import Vae
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.runs.files import os_error_message
from dvae_core.training.checkpoint import read_checkpoint, sizes_of, write_weights
from dvae_core.training.device import choose_device, choose_threads, describe_device
from dvae_core.training.engine import Batches, Engine
from dvae_core.training.record import HELD_OUT_ROWS, LATENT_ROWS, HeldOut, History, write_latents

CHECKPOINT_SECONDS = float(os.environ.get("DVAE_CHECKPOINT_SECONDS", "10"))
LIVE_SECONDS = 1.0
SHARE = 20  # of the time, one part in so many is spent at most on live latents, on checkpoints, and on held-out bounds
STATUS_SECONDS = 0.2  # a person reads no faster; each is a file flushed to disk
LOOK_SECONDS = 0.1  # between two looks for STOP
START_NUMBERS = 2**24  # of x, behind whitening and the linear paths' start; of larger data an even share of the rows


@dataclass(frozen=True)
class Progress:
    """Where training stands: `elbo` [p] is held-out, nats per example; `failed` lists diverged members."""

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
        should_stop: Asked often; training stops (resumable) once it says so.

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
            (run.path / "STOP").unlink(missing_ok=True)  # it has been obeyed; in the queue it still counts
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
            run.fail(_in_words(error))
            raise
        (run.path / "STOP").unlink(missing_ok=True)


def _train(run: Run, dataset: Dataset | None, began: float, should_stop: Callable[[], bool]) -> Iterator[Progress]:
    config = run.config
    device = choose_device(config.train.device)
    dataset = data_of(run, dataset)
    parts = split(dataset, config.split)
    run.write_json("about.json", {**run.about, **describe(dataset, parts.how, len(parts.train), len(parts.held_out))})

    vae = Vae(config, sizes_of(dataset))
    if device.type == "cpu":  # before anything is computed: sums over threads differ in their last bits
        madds = _madds(vae, min(config.train.batch, len(parts.train)))
        torch.set_num_threads(choose_threads(madds, os.cpu_count() or 1))
    u = dataset.u_features()
    seen = parts.train[:: max(1, len(parts.train) * dataset.d_x // START_NUMBERS)]
    initialise(vae, torch.from_numpy(dataset.x_float(seen)), None if u is None else torch.from_numpy(u[seen]))
    vae.to(device)
    engine = Engine(vae, Batches(dataset, parts.train, vae, device))
    held_out = HeldOut(dataset, parts.held_out, vae, device)
    steps, sums, every = engine.steps, engine.sums, engine.every
    # A batch of held-out bounds costs a third of a step (360 rows after every 8th step at batch 64 took a quarter).
    apart = every * math.ceil(SHARE * held_out.x.shape[1] / (3 * engine.batches.batch * every))
    run.set_status(
        state="running",
        message="",
        steps=steps,
        device=describe_device(device),
        torch=torch.__version__,
        dtype="float32",
    )

    resume = read_checkpoint(run)
    if resume is None:
        start, before, failed = 0, 0.0, {}
        (run.path / "history.csv").unlink(missing_ok=True)
        history = History(run, config)
        history.add(0, held_out.elbo(vae), "held_out", before)
    else:
        start, before = int(resume["step"]), float(resume["seconds"])
        failed = {int(m): int(s) for m, s in resume["failed"]}
        run.write("history.csv", run.path.joinpath("history.csv").read_bytes()[: int(resume["history"][0])])
        history = History(run, config)
        engine.restore(resume)
        held_out.elbo(vae)  # for `last`

    def checkpoint(step: int) -> None:
        run.write_tensors(
            "resume.safetensors",
            {
                "step": np.array(step),
                "seconds": np.array(seconds()),
                "failed": np.array(sorted(failed.items()), np.int64).reshape(-1, 2),
                "key": np.array(int(config.key(), 16)),
                "history": history.size_and_digest(),
                **engine.state(),
            },
        )
        write_weights(run, vae)

    clock = time.time()

    def seconds() -> float:
        return before + time.time() - clock

    looked = told = time.time()
    live, saving = NowAndThen(LIVE_SECONDS), NowAndThen(CHECKPOINT_SECONDS)
    step = start
    try:
        if resume is None:
            yield Progress(0, steps, 0.0, None, held_out.last, ())
        while step < steps:
            engine.step(step)
            step += 1
            if step % every == 0 or step == steps:
                for m in sums.not_finite():
                    failed.setdefault(m, step)
                now = seconds()
                history.add(step, sums.take(), "train", now)
                if step % apart == 0 or step == steps:
                    history.add(step, held_out.elbo(vae), "held_out", now)
                if time.time() - told > STATUS_SECONDS:
                    run.set_status(step=step, seconds=now, failed_members=sorted(failed))
                    told = time.time()
                left = (time.time() - clock) / (step - start) * (steps - step)
                if step < steps:
                    live(lambda: write_latents(run, vae, held_out, rows=HELD_OUT_ROWS))
                    saving(lambda at=step: checkpoint(at))
                yield Progress(step, steps, now, left, held_out.last, tuple(sorted(failed)))
            if time.time() - looked > LOOK_SECONDS:
                looked = time.time()
                if should_stop() or (run.path / "STOP").exists():
                    break
    except GeneratorExit:
        checkpoint(step)
        run.set_status(
            state="stopped", step=step, seconds=seconds(), message="Stopped; Resume goes on from here.",
            failed_members=sorted(failed),
        )  # fmt: skip
        raise
    if step < steps:
        checkpoint(step)
        run.set_status(
            state="stopped", step=step, seconds=seconds(), message="Stopped; Resume goes on from here.",
            failed_members=sorted(failed),
        )  # fmt: skip
        write_latents(run, vae, held_out, rows=HELD_OUT_ROWS)
    else:
        write_weights(run, vae)
        arrays = write_latents(run, vae, held_out, rows=LATENT_ROWS)
        late = stuck(arrays["elbo"], arrays["kl_latent"], config.train.betas)
        lost = [f"{len(failed)} of {vae.p} members diverged and are shown as failed."] if failed else []
        lost += [f"Seed {config.train.seeds[m]} is stuck: {why}." for m, why in late.items() if m not in failed]
        run.set_status(
            state="finished", step=step, seconds=seconds(), message=" ".join(lost),
            failed_members=sorted(failed), stuck_members=[m for m in late if m not in failed],
            total_seconds=time.time() - began,
        )  # fmt: skip
        run.remove("resume.safetensors")  # three times the weights, and never read again


class NowAndThen:
    """Does something every so many seconds, or less often where it is so slow that it would hold training up."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.due = time.time() + seconds

    def __call__(self, work: Callable[[], object]) -> None:
        """Do it, if it is due."""
        start = time.time()
        if start >= self.due:
            work()
            self.due = time.time() + max(self.seconds, SHARE * (time.time() - start))


def describe(dataset: Dataset, how: str, n_train: int, n_held_out: int) -> dict:
    """Return the facts of the data that a run keeps, so that pages need not load it."""
    features = dataset.u_features()
    pictures = dataset.x_shape is not None
    return {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "n": dataset.n,
        "n_train": n_train,
        "n_held_out": n_held_out,
        "split": how,
        "d_x": dataset.d_x,
        "d_u": len(dataset.u_names) if features is None or dataset.has_labels else features.shape[1],
        "has_labels": dataset.has_labels,
        "x_shape": dataset.x_shape,
        "x_names": () if dataset.x_shape else dataset.x_names,  # 12,288 pixels need no names
        "u_names": dataset.u_names,
        "z_names": dataset.z_names,
        "u_labels": dataset.u_labels,
        "rate_hz": dataset.rate_hz,
        "meta": dict(dataset.meta),
        "x_scale": dataset.x_scale,
        "x_range": [float(dataset.x[:].min() * dataset.x_scale), float(dataset.x[:].max() * dataset.x_scale)]
        if pictures
        else None,
        "x_offset": None if dataset.x_offset is None else dataset.x_offset.tolist(),
        "u_offset": None if dataset.u_offset is None else dataset.u_offset.tolist(),
        "u_period": dataset.u_period,
        "reading": dict(dataset.reading),
    }


def _madds(vae: Vae, batch: int) -> float:
    """Multiply-adds of a training step, about: 3 passes through every weight for every example."""
    convolutional = isinstance(vae.config.model.net, ConvNet)
    reuse = 256 if convolutional else 1  # a kernel is applied at some hundreds of places
    return 3.0 * batch * reuse * sum(w.numel() for w in vae.parameters())


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        said = os_error_message(error)
        return f"{said[0].upper()}{said[1:]} What was saved before is still there: Retry goes on from it."
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return "The device ran out of memory; try half the batch size, or fewer members."
    return str(error).split("\n", 1)[0]
