"""The networks inside the encoder and the decoder.

They work with preprocessed x, standardised u, and latents in the axes of training. `vae.py` turns their outputs into
distributions.
"""

import dataclasses
import itertools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dvae_core.config import Config, ConvNet
from dvae_core.model.layers import ACTIVATIONS, Conv, Linear, Mlp, bounded_std, convolve
from dvae_core.model.posterior import Posterior

LOG_STD_Z = 6.0  # |log std| of q is kept below this, smoothly


@dataclass(frozen=True)
class Sizes:
    """The facts about the data that a model needs."""

    d_x: int
    d_u: int = 0
    labels: bool = False
    x_shape: tuple[int, ...] | None = None


class EncoderNet(nn.Module):
    """g_phi: maps preprocessed x (and standardised u) to mu_z and the entries of F. A linear path runs beside the MLP.

    With a window, its input is the preprocessed rows of the window side by side. For a posterior that is refined on the
    decoder, it returns only the mean.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, p: int, config: Config, sizes: Sizes) -> None:
        super().__init__()
        model = config.model
        d_z = model.latents
        self.d_z, self.kind = d_z, model.posterior
        self.sees_u = model.encoder == "xu"
        n_out = {"diagonal": 2 * d_z, "full": 2 * d_z + d_z * (d_z - 1) // 2, "gauss-newton": d_z}[model.posterior]
        d_u = sizes.d_u if self.sees_u else 0
        self.trunk = None
        if isinstance(model.net, ConvNet):
            self.trunk = ConvTrunk(p, model.net, sizes)
            self.mlp = Mlp(
                p, self.trunk.d_out + d_u, n_out, hidden=model.net.hidden, depth=1, activation=model.net.activation
            )
            self.skip = None
        else:
            net = model.net
            hidden = net.encoder_hidden or net.hidden
            d_in = sizes.d_x * (1 + sum(model.window))
            self.mlp = Mlp(p, d_in + d_u, n_out, hidden=hidden, depth=net.depth, activation=net.activation)
            self.skip = Linear(p, d_in, d_z, bias=False)
        rows, columns = torch.tril_indices(d_z, d_z, -1)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)

    def forward(self, x: Float[Tensor, "p n d_seen"], u: Tensor | None) -> tuple[Tensor, Posterior | None]:
        """Return the mean and q. q is None for "gauss-newton", whose covariance comes from the decoder."""
        h = x if self.trunk is None else self.trunk(x)
        if self.sees_u:
            if u is None:
                raise ValueError("This encoder is q(z|x,u): it needs u.")
            h = torch.cat([h, u], -1)
        out = self.mlp(h, self.skip, x)
        if self.kind == "gauss-newton":
            return out, None
        d = self.d_z
        mu, log_std, below = out.split((d, d, out.shape[-1] - 2 * d), -1)
        std, log_det = bounded_std(log_std, LOG_STD_Z)
        if self.kind == "diagonal":
            return mu, Posterior(mu, std, log_det)
        # F = diag(std) (I + strictly lower part): each row scales with its own std
        factor = torch.diag_embed(std)
        if below.shape[-1]:
            factor = factor.clone()
            factor[..., self.rows, self.columns] = below * std[..., self.rows]
        return mu, Posterior(mu, factor, log_det)


def student_net(p: int, config: Config, sizes: Sizes) -> EncoderNet:
    """Return e(x), an encoder of the same size that sees x alone and returns only a mean."""
    model = dataclasses.replace(config.model, encoder="x", student=False, posterior="gauss-newton")
    return EncoderNet(p, dataclasses.replace(config, model=model), sizes)


class ConvTrunk(nn.Module):
    """Four strided convolutions that turn [H, W, C] into c, c, 2c, 2c channels and make its sides 16 times smaller."""

    def __init__(self, p: int, net: ConvNet, sizes: Sizes) -> None:
        super().__init__()
        self.shape = picture_shape(sizes)
        height, width, channels = self.shape
        widths = [channels, net.channels, net.channels, 2 * net.channels, 2 * net.channels]
        self.convs = nn.ModuleList(Conv(p, a, b) for a, b in itertools.pairwise(widths))
        self.d_out = widths[-1] * (height // 16) * (width // 16)
        self.activation = net.activation

    def forward(self, x: Float[Tensor, "p n d_x"]) -> Float[Tensor, "p n d_out"]:
        """Return the features, flattened."""
        h = x.unflatten(-1, self.shape).movedim(-1, -3)  # rows of x are [H, W, C]
        return torch.stack([maps.flatten(1) for maps in convolve(h, self.convs, self.activation)])


class DecoderNet(nn.Module):
    """f_theta: maps z to the mean, logits or log rates of the likelihood, and to a log std if Sigma_x is a network.

    z is in the axes in which the network was trained. `Vae.decoder` first rotates the latents of a rotated twin back,
    and all other code decodes through it. Every method here therefore has "unrotated" in its name.
    """

    def __init__(self, p: int, config: Config, sizes: Sizes, heads: int) -> None:
        super().__init__()
        model = config.model
        self.heads = heads
        self.activation = model.net.activation
        self.convs, self.skip = None, None
        if isinstance(model.net, ConvNet):
            height, width, channels = picture_shape(sizes)
            c = model.net.channels
            self.small = (2 * c, height // 16, width // 16)
            self.mlp = Mlp(
                p, model.latents, math.prod(self.small), hidden=model.net.hidden, depth=1,
                activation=model.net.activation, last_gain=1.0,
            )  # fmt: skip
            widths = [2 * c, 2 * c, c, c, channels * heads]
            self.convs = nn.ModuleList(Conv(p, a, b, transpose=True) for a, b in itertools.pairwise(widths))
            self.bias = nn.Parameter(torch.zeros(p, sizes.d_x))  # the mean picture; the net learns deviations
        else:
            net = model.net
            self.mlp = Mlp(
                p, model.latents, sizes.d_x * heads, hidden=net.hidden, depth=net.depth, activation=net.activation
            )
            self.skip = Linear(p, model.latents, sizes.d_x, bias=False)

    def start_at(self, f: Float[Tensor, " d_x"]) -> None:
        """Set the output at the start of training, which does not yet depend on the input."""
        last = self.bias if self.convs is not None else self.mlp.last.get_parameter("bias")
        with torch.no_grad():
            last[:, : len(f)] = f

    def of_unrotated(self, z: Float[Tensor, "p n d_z"]) -> tuple[Tensor, Tensor | None]:
        """Return the outputs [p, n, d_x]. The second is None unless Sigma_x is a network."""
        h = self.mlp(z, self.skip)
        if self.convs is not None:
            h = ACTIVATIONS[self.activation](h).unflatten(-1, self.small)
            pictures = convolve(h, self.convs, self.activation, end_linear=True)
            heads = [maps.chunk(2, 1) if self.heads == 2 else (maps,) for maps in pictures]
            # back to rows of [H, W, C], one output head after the other
            parts = [torch.stack([h.movedim(1, -1).flatten(1) for h in head]) for head in zip(*heads, strict=True)]
            parts[0] = parts[0] + self.bias[:, None]
        else:
            parts = list(h.chunk(2, -1)) if self.heads == 2 else [h]
        return parts[0], (parts[1] if self.heads == 2 else None)

    def jacobian_of_unrotated(self, z: Float[Tensor, "p n d_z"]) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return the outputs and the Jacobian [p, n, d_z, d_x] of the first.

        The Jacobian of an MLP is a product of its layers' matrices and can be differentiated. That of a convolutional
        net takes one forward-mode pass per latent and carries no gradient.
        """
        if self.skip is None:
            with torch.no_grad():
                columns = [
                    torch.func.jvp(lambda v: self.of_unrotated(v)[0], (z,), (along.expand_as(z),))[1]
                    for along in torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
                ]
            return *self.of_unrotated(z), torch.stack(columns, 2)
        h, jacobian = self.mlp.with_jacobian(z)
        d_x = self.skip.weight.shape[-1]
        mean = h[..., :d_x] + self.skip(z)
        jacobian = jacobian[..., :d_x] + self.skip.weight[:, None]
        return mean, (h[..., d_x:] if self.heads == 2 else None), jacobian


def picture_shape(sizes: Sizes) -> tuple[int, int, int]:
    """Return (H, W, C) for a convolutional net, or raise an error that explains why the data does not fit one."""
    shape = sizes.x_shape
    if shape is None or shape[0] % 16 or shape[1] % 16:
        what = "not pictures" if shape is None else f"{shape[0]} x {shape[1]} pixels"
        raise ValueError(
            f"A convolutional net needs pictures with sides that are multiples of 16; x is {what}: use the MLP."
        )
    return (shape[0], shape[1], shape[2] if len(shape) == 3 else 1)
