"""The linear preprocessing inside a model: it can be undone, and its determinant is known."""

import numpy as np
import pytest
import torch

from dvae_core.config import ModelConfig
from dvae_core.model.scaling import Scaling

MIX = torch.tensor([[2.0, 1, 0], [0, 0.5, 1], [0, 0, 3]], dtype=torch.float64)
X = torch.randn(60, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) @ MIX + 5


def fitted(how: str, x: torch.Tensor = X) -> Scaling:
    scaling = Scaling(ModelConfig(preprocess=how), x.shape[1], 0, labels=False).double()
    scaling.fit(x, None)
    return scaling


@pytest.mark.parametrize("how", ["none", "centre", "standardise", "whiten"])
def test_it_can_be_undone_and_its_determinant_is_known(how):
    scaling = fitted(how)
    torch.testing.assert_close(scaling.undo(scaling(X)), X)
    forward = scaling.x_forward if how == "whiten" else torch.diag(scaling.x_forward)
    torch.testing.assert_close(scaling.x_log_det, torch.linalg.slogdet(forward)[1])


def test_each_kind_does_what_its_name_says():
    torch.testing.assert_close(fitted("none")(X), X)
    torch.testing.assert_close(fitted("centre")(X).mean(0), torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(fitted("standardise")(X).std(0), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(torch.cov(fitted("whiten")(X).T), torch.eye(3, dtype=torch.float64))


def test_a_constant_column_keeps_its_scale():
    scaling = fitted("standardise", torch.cat([X, torch.full((60, 1), 0.1, dtype=torch.float64)], 1))
    assert scaling.x_forward[3] == 1
    assert np.isfinite(float(scaling.x_log_det))


def test_dependent_columns_can_be_undone():
    x = torch.cat([X, X[:, :1] + X[:, 1:2]], 1)
    scaling = fitted("whiten", x)
    torch.testing.assert_close(scaling.undo(scaling(x)), x)
    std = torch.linalg.vector_norm(scaling.x_inverse, dim=1)
    torch.testing.assert_close(std[-1], 1e-3 * std[0])  # the floor is 1e-6 of the largest variance
