"""Random numbers by name: every generator is determined by a key that states the purpose of its numbers."""

import hashlib

import torch


def generator(*key: int | str) -> torch.Generator:
    """Return a CPU generator determined by `key` alone, for example (seed, "noise", epoch, block).

    Random numbers depend only on their purpose. So a member draws the same numbers in every population, a run resumes
    without saved generator states, and a GPU uses the same numbers as a CPU.
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") % 2**63)
