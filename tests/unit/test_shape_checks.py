"""Under tests, a call with a wrong shape, a wrong type or a wrong result is an error, at the first call and later."""

import numpy as np
import pytest
from jaxtyping import Float, TypeCheckError, jaxtyped

from dvae_core.axes import evenly
from dvae_core.metrics.recovery import mcc
from tests.lazy_beartype import check


@pytest.mark.parametrize("call", ["first", "second"])
def test_the_library_is_checked(call):
    with pytest.raises(TypeCheckError, match="parameters"):
        mcc(np.zeros((5, 2)), np.zeros((6, 2)))  # n differs
    with pytest.raises(TypeCheckError, match="parameters"):
        evenly(10, 4.5)


def test_a_wrong_result_is_an_error_and_the_function_is_called_once():
    calls = []

    @jaxtyped(typechecker=check)
    def halved(x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        calls.append(len(x))
        return x[: len(x) // 2] if len(x) > 2 else x

    for _ in range(2):
        assert len(halved(np.zeros(2))) == 2
        with pytest.raises(TypeCheckError, match="return value"):
            halved(np.zeros(4))
    assert calls == [2, 4, 2, 4]
