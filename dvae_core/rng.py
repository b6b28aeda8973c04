"""Random numbers by name: every generator is determined by a key that states the purpose of its numbers."""

import hashlib

import numpy as np
import torch


def generator(*key: int | str) -> torch.Generator:
    """Return a CPU generator determined by `key` alone, for example (seed, "noise", epoch, block).

    Random numbers depend only on their purpose. So a member draws the same numbers in every population, a run resumes
    without saved generator states, and a GPU uses the same numbers as a CPU.
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") % 2**63)


def random_bytes(shape: tuple[int, ...], *key: int | str) -> torch.Tensor:
    """Return uniform random bytes of this shape, determined by `key` alone: many coarse draws in little time."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    bits = np.random.Philox(key=int.from_bytes(digest[:16], "little"))
    words = bits.random_raw(-(-int(np.prod(shape)) // 8)).astype("<u8", copy=False)
    return torch.from_numpy(words.view(np.uint8)[: int(np.prod(shape))].reshape(shape))
