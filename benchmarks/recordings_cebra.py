"""CEBRA's embeddings of the rows that `recordings.py` trains on; `recordings.py --cebra` runs it in its environment.

    python3 -m venv cebra-env
    cebra-env/bin/pip install torch==2.13.0 cebra==0.6.1
    python benchmarks/recordings.py --cebra cebra-env/bin/python

The input holds x [n, d_x] (the encoder's preprocessed x), u [n, d_u] and the training rows. CEBRA trains on the
training rows in order and transforms the whole recording.
"""

import argparse
import time

import numpy as np
import torch
from cebra import CEBRA


def main() -> None:
    """Train one model a seed, and write the embeddings [p, n, d], the CPU seconds and the final losses."""
    parser = argparse.ArgumentParser()
    parser.add_argument("given")
    parser.add_argument("out")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--latents", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with np.load(options.given) as given:
        x, u, rows = given["x"], given["u"], given["train"]
    found, seconds, losses = [], [], []
    for seed in range(options.seeds):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002  CEBRA draws from numpy's global generator
        model = CEBRA(
            model_architecture="offset10-model", conditional="time_delta", time_offsets=10, distance="cosine",
            temperature=1.0, num_hidden_units=32, batch_size=256, learning_rate=options.rate, device="cpu",
            max_iterations=options.iterations, output_dimension=options.latents, verbose=False,
        )  # fmt: skip
        began = time.process_time()
        model.fit(x[rows], u[rows])
        seconds.append(time.process_time() - began)
        found.append(model.transform(x))
        losses.append(float(np.mean([float(v) for v in model.state_dict_["loss"][-50:]])))
    np.savez(options.out, z=np.array(found), seconds=np.array(seconds), loss=np.array(losses))


if __name__ == "__main__":
    main()
