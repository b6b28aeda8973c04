"""Random numbers by name: every generator is fixed by a key that says what its numbers are for."""

import hashlib

import torch


def generator(*key: int | str) -> torch.Generator:
    """Return a CPU generator fixed by `key` alone, for example (seed, "noise", epoch, block).

    Random numbers are a function of what they are for and of nothing else. So a member draws the same numbers
    whatever population it is in, a run resumes without saved generator states, and a GPU sees the CPU's numbers.
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") % 2**63)
