"""Beartype for jaxtyping's import hook: the check of a function is compiled at its first call, not at its import."""

import functools

from beartype import beartype


def check(function):
    """Return a function that checks its arguments as `beartype(function)` does."""
    compiled = None

    @functools.wraps(function)
    def checked(*args, **kwargs):
        nonlocal compiled
        if compiled is None:
            compiled = beartype(function)
        return compiled(*args, **kwargs)

    return checked
