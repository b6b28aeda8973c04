"""The optimisers: Adam for all parameters, or Muon for the nets' matrices and Adam for the rest.

Muon (Jordan et al. 2024) replaces a matrix's momentum by the nearest orthogonal matrix, so that every direction of a
layer learns at the same rate. On the 5-D, 40-segment task it raised the refined mean's MCC from .975 to .986 at the
same cost. `torch.optim.Muon` (2.13) takes only 2-D matrices, one at a time. Here they are [p, in, out], and members
must not affect each other, so this implementation is batched over members.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
MUON_LR = 2.0  # times the learning rate: the length of an orthogonal step in every direction


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Return the approximate orthogonal factor of each matrix [p, a, b], with singular values between 0.7 and 1.2.

    This quintic Newton-Schulz iteration needs only matrix products, so it is cheap and works alike on every device.
    """
    a, b, c = 3.4445, -4.7750, 2.0315  # Jordan et al. 2024: steepest at 0, but does not converge to 1
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.mT if tall else x


class Optimiser:
    """Takes steps on the single row of a population's parameters (`engine.Flat`), of which the module holds views.

    Muon updates the weights of the multi-layer nets in encoder and generator. Adam updates linear paths, biases, noise
    and prior, because single entries have a meaning there, which a rotated gradient would lose. `lrs` are the members'
    learning rates; only their ratios matter.
    """

    def __init__(self, kind: str, module: nn.Module, tensor: nn.Parameter, lrs: Sequence[float] = (1.0,)) -> None:
        self.tensor = tensor
        # Adam (Kingma & Ba 2015) by torch's fused kernel: `torch.optim` calls the same one, but adds 0.1 ms of
        # bookkeeping to each step and takes 1.5 s to import.
        self.adam = {
            "step": torch.zeros((), device=tensor.device),
            "exp_avg": torch.zeros_like(tensor.data),
            "exp_avg_sq": torch.zeros_like(tensor.data),
        }
        # A step is proportional to the learning rate: compute it for the largest rate, then scale it for each member.
        shares = tensor.new_tensor(lrs) / max(lrs)
        self.shares = shares if len(set(lrs)) > 1 else None
        self.weights = [w.data.flatten(1) for w in module.parameters()]
        self.matrices: list[tuple[slice, Tensor]] = []
        self.momentum = torch.zeros_like(tensor.data) if kind == "muon" else None
        start = 0
        for name, weight in module.named_parameters():
            stop = start + weight.numel()
            if kind == "muon" and ".mlp." in name and weight.dim() == 3 and min(weight.shape[1:]) > 1:
                self.matrices.append((slice(start, stop), weight))
            start = stop

    @torch.no_grad()
    def step(self, lr: float | Tensor) -> None:
        """Update every parameter from its gradient in `tensor.grad`. `lr` is the members' largest learning rate."""
        grad = self.tensor.grad
        if grad is None:
            return
        start = None if self.shares is None else [weight.clone() for weight in self.weights]
        before = [weight.detach().clone() for _, weight in self.matrices]
        adam = self.adam
        adam["step"] += 1
        torch._fused_adam_(  # pyright: ignore[reportPrivateImportUsage]
            [self.tensor.data], [grad], [adam["exp_avg"]], [adam["exp_avg_sq"]], [], [adam["step"]],
            lr=lr, beta1=0.9, beta2=0.999, weight_decay=0.0, eps=1e-8, amsgrad=False, maximize=False,
        )  # fmt: skip
        if self.momentum is not None:
            self.momentum.lerp_(grad, 1 - MOMENTUM)
            ahead = grad.lerp(self.momentum, MOMENTUM)  # Nesterov
            for (own, weight), old in zip(self.matrices, before, strict=True):
                d_in, d_out = weight.shape[1:]
                scale = lr * MUON_LR * max(1.0, d_out / d_in) ** 0.5
                weight.data.copy_(old - scale * orthogonalise(ahead[own].view(weight.shape)))
        if self.shares is not None and start is not None:
            for weight, old in zip(self.weights, start, strict=True):
                torch.lerp(old, weight, self.shares[:, None], out=weight)

    def state(self) -> dict[str, Tensor]:
        """Return the tensors that a step changes. A checkpoint saves them and copies them back."""
        state = {f"adam.{k}": v for k, v in self.adam.items()}
        return state if self.momentum is None else {**state, "muon.momentum": self.momentum}
