"""A population behind scikit-learn's interface, for pipelines, grid searches and notebooks that already use it.

`fit` trains as the rest of the library does (a run folder, p members, an 80/20 split). `transform` returns the
posterior means of the member with the best held-out bound.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from dvae_core import runs
from dvae_core.config import FileData
from dvae_core.data.dataset import Dataset, encode_labels
from dvae_core.model.vae import Vae, member
from dvae_core.recipes import BETA, MEMBERS, ModelName, for_dataset
from dvae_core.rng import generator
from dvae_core.training.checkpoint import load_vae
from dvae_core.training.train import train

PARTS = 1_000_000  # values of x encoded at once

LikelihoodName = Literal["gaussian", "bernoulli", "poisson", "negative-binomial"]
PosteriorName = Literal["diagonal", "full", "gauss-newton"]
PriorName = Literal["gaussian", "laplace", "learned"]
EncoderName = Literal["x", "xu"]
SplitName = Literal["random", "blocks"]


class VaeEstimator(TransformerMixin, BaseEstimator):
    """VAE, beta-VAE or iVAE as a scikit-learn transformer: x in, posterior means of z out.

    A VAE does *not* identify the axes of its latents: any rotation of z explains x equally well. An iVAE does, given
    enough variety in u, up to order, sign and a pointwise map. Choosing the member by its held-out bound rejects gross
    failures only.

    Args:
        model: "vae", "beta-vae" or "ivae". An iVAE takes u as `y` of `fit`: whole numbers or text are labels, floats
            are numbers (one column or several).
        latents: Dimensions of z; None takes as many as X has components above chance, 2 to 10, or as it has
            columns if they are at most five.
        beta: Weight of the KL; used by "beta-vae" only.
        members: Seeds trained together as one population.
        likelihood: "gaussian", "bernoulli", "poisson" or "negative-binomial" (counts that vary more than Poisson's);
            None chooses by the data (whole numbers from 0 up: Poisson).
        posterior: "diagonal", "full" (the default: it encodes x alone, as a pipeline needs) or "gauss-newton", which
            recovers factors better and, under an iVAE, needs u to encode.
        prior: Family of p(z|u) of an iVAE: "gaussian", "laplace" or "learned"; None is "gaussian".
        encoder: "x", or "xu" for an encoder that sees u as well, which then is needed to encode; None is "x".
        objective: Such as "elbo" or "iwae"; None is "elbo".
        device: Where to train: "cpu", "cuda", or "auto". The fitted model is on the CPU in any case.
        verbose: Print the held-out bound of every member now and then.
        epochs, batch, lr: Training settings; None takes the defaults of `recipes.for_dataset`.
        split: How the held-out fifth is chosen: "random", or "blocks" for rows in time order.
        random_state: First seed, a whole number; members take this one and the next ones.
        folder: Where to keep the run, for the app to open; None keeps nothing on disk.

    Attributes:
        n_features_in_, feature_names_in_: As in scikit-learn.
        member_: Index of the member that is used by default: the best held-out bound.
        latents_: Posterior means of the rows of `fit`, of every member `[p n d_z]`; nan for a member that diverged.
        elbo_: Held-out ELBO of every member `[p]`, nats per example (nan for a member that diverged).
        config_: The complete settings that were trained.
        vae_: The chosen member, float64, on the CPU.
        population_: All members, float64, on the CPU.

    References:
        Kingma & Welling 2014; Higgins et al. 2017; Khemakhem et al. 2020.

    Example:
        >>> X = np.random.default_rng(0).normal(size=(200, 3))
        >>> VaeEstimator(latents=2, members=1, epochs=2).fit(X).transform(X).shape
        (200, 2)
    """

    def __init__(
        self,
        model: ModelName = "vae",
        latents: int | None = None,
        *,
        beta: float = BETA,
        members: int = MEMBERS,
        likelihood: LikelihoodName | None = None,
        posterior: PosteriorName = "full",
        epochs: int | None = None,
        batch: int | None = None,
        lr: float | None = None,
        split: SplitName = "random",
        random_state: int = 0,
        folder: str | Path | None = None,
        prior: PriorName | None = None,
        encoder: EncoderName | None = None,
        objective: str | None = None,
        device: Literal["auto", "cpu", "cuda"] = "cpu",
        verbose: bool = False,
    ) -> None:
        self.model: ModelName = model
        self.latents = latents
        self.beta = beta
        self.members = members
        self.likelihood: LikelihoodName | None = likelihood
        self.posterior: PosteriorName = posterior
        self.epochs = epochs
        self.batch = batch
        self.lr = lr
        self.split: SplitName = split
        self.random_state = random_state
        self.folder = folder
        self.prior: PriorName | None = prior
        self.encoder: EncoderName | None = encoder
        self.objective = objective
        self.device: Literal["auto", "cpu", "cuda"] = device
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, u: Any = None) -> "VaeEstimator":
        """Train the population.

        Args:
            X: Data `[n d_x]`, an array or a data frame (whose column names are kept).
            y: Used as u by an iVAE if `u` is not given; ignored by the others.
            u: The auxiliary variable, `[n]` or `[n d_u]`; needed by an iVAE. In a Pipeline, whose y is another target,
                request it with `.set_fit_request(u=True).set_transform_request(u=True)` and enable scikit-learn's
                metadata routing.

        Returns:
            The estimator itself.

        Raises:
            ValueError: If X or u cannot be used, a setting is unknown, or every member diverged.
        """
        if self.model not in get_args(ModelName):
            raise ValueError(f"model must be one of {', '.join(get_args(ModelName))}; got {self.model!r}.")
        X = validate_data(self, X, dtype=[np.float64, np.float32, np.uint8, np.uint16], ensure_min_samples=10)
        given = self._u(y if u is None else u, len(X)) if self.model == "ivae" else {}
        names = tuple(map(str, getattr(self, "feature_names_in_", ())))
        dataset = Dataset("given to fit", X, x_names=names, **given)
        data = FileData(path="given to fit")
        config = for_dataset(
            data, dataset, self.model, beta=self.beta, members=self.members,
            latents=self.latents,
            seed=self.random_state, likelihood=self.likelihood, posterior=self.posterior, epochs=self.epochs,
            batch=self.batch, lr=self.lr, device=self.device, split=self.split,
            prior=self.prior if self.model == "ivae" else None, encoder=self.encoder, objective=self.objective,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as scratch:
            run = runs.create(Path(self.folder or Path(scratch) / "run"), config, title=f"{config.model_name} by fit")
            for progress in train(run, dataset):
                elbo = progress.elbo
                if self.verbose:
                    bounds = " ".join(f"{value:.2f}" for value in elbo)
                    print(f"step {progress.step:,} of {progress.steps:,}, held-out ELBO: {bounds}")
            population = load_vae(run)
        failed = list(progress.failed)
        elbo = np.where(np.isin(np.arange(len(elbo)), failed), np.nan, elbo)
        if np.isnan(elbo).all():
            raise ValueError("Every member diverged; try a smaller lr, or standardise X.")
        self.config_ = config
        self.elbo_ = elbo
        self.member_ = int(np.nanargmax(elbo))
        self.population_ = population.double()
        self.vae_ = member(self.population_, self.member_)
        self.u_labels_ = dataset.u_labels
        features = dataset.u_features() if self._encodes_u() else None
        self.latents_ = self._encoded(self.population_, np.asarray(X, np.float64), features)
        self.latents_[failed] = np.nan
        return self

    def fit_transform(self, X: Any, y: Any = None, u: Any = None) -> np.ndarray:
        """Fit, and return posterior means of z `[n d_z]`; u as in `fit`."""
        self.fit(X, y, u)
        return self.transform(X, (y if u is None else u) if self._encodes_u() else None)

    def transform(self, X: Any, u: Any = None, member: int | None = None) -> np.ndarray:
        """Return posterior means of z `[n d_z]`.

        Args:
            X: Data `[n d_x]`.
            u: Needed only for an iVAE that is refined with u (gauss-newton) or whose encoder sees u ("xu").
            member: Which member encodes (0-based); None is `member_`.

        Raises:
            ValueError: If the model is not fitted, X has other columns, or u is needed and absent.
        """
        check_is_fitted(self)
        vae = self._member(member)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return self._encoded(vae, X, self._features(u, len(X)) if self._encodes_u() else None)[0]

    def sample(self, n_samples: int = 1, u: Any = None, member: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Draw latents from the prior and return what the decoder makes of them.

        The draws depend only on `random_state`.

        Args:
            n_samples: Number of draws; with u, one for each of its rows.
            u: The values of u; needed by an iVAE, whose prior is p(z|u).
            member: Which member draws (0-based); None is `member_`.

        Returns:
            E[x|z] `[n d_x]` and z `[n d_z]`.

        Raises:
            ValueError: If the model is not fitted, or u is needed and absent.
        """
        check_is_fitted(self)
        vae = self._member(member)
        features = None
        if self.model == "ivae":
            features = torch.tensor(self._features(u, None if u is None else len(u)))[None]
            n_samples = features.shape[1]
        draws = generator(self.random_state, "sample")
        v = torch.rand(1, n_samples, self.config_.model.latents, generator=draws, dtype=torch.float64)
        v = v.clamp_min(torch.finfo(v.dtype).tiny)  # the prior's quantile of 0 is infinite
        with torch.no_grad():
            z = vae.prior(features).sample(v)
            return vae.decoder(z).mean[0].numpy(), z[0].numpy()

    def inverse_transform(self, Z: Any) -> np.ndarray:
        """Return E[x|z] `[n d_x]` of latents `[n d_z]`."""
        check_is_fitted(self)
        z = torch.tensor(check_array(Z, dtype="float64"))
        if z.shape[1] != self.config_.model.latents:
            raise ValueError(f"The model has {self.config_.model.latents} latents and Z has {z.shape[1]} columns.")
        with torch.no_grad():
            return self.vae_.decoder(z[None]).mean[0].numpy()

    def score(self, X: Any, y: Any = None, u: Any = None) -> float:
        """Return the mean ELBO of X, nats per example: higher is better; it does not depend on the latents' axes.

        It uses one sample of z per row, from noise that depends only on `random_state`.
        """
        total, count = 0.0, 0
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        features = self._features(y if u is None else u, len(X)) if self.model == "ivae" else None
        for x, u_part in self._parts(X, features):
            noise = generator(self.random_state, "score", count)
            eps = torch.randn(x.shape[1], self.config_.model.latents, generator=noise, dtype=torch.float64)
            with torch.no_grad():
                total += float(self.vae_.elbo(x, u_part, eps[None]).elbo.sum())
            count += x.shape[1]
        return total / count

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return z1, z2, ... `input_features` is part of scikit-learn's interface and is not used."""
        check_is_fitted(self)
        return np.array([f"z{i + 1}" for i in range(self.config_.model.latents)], dtype=object)

    def _encodes_u(self) -> bool:
        return self.model == "ivae" and (self.posterior == "gauss-newton" or self.encoder == "xu")

    def _member(self, index: int | None) -> Vae:
        if index is None:
            return self.vae_
        if not 0 <= index < len(self.elbo_):
            raise ValueError(f"The population has the members 0 to {len(self.elbo_) - 1}; got {index}.")
        if np.isnan(self.elbo_[index]):
            raise ValueError(f"Member {index} diverged; choose another one.")
        return member(self.population_, index)

    def _encoded(self, vae: Vae, X: np.ndarray, features: np.ndarray | None) -> np.ndarray:
        """Return posterior means [p n d_z] of the members of a population."""
        with torch.no_grad():
            parts = [
                vae.encoder(x.expand(vae.p, -1, -1), None if u is None else u.expand(vae.p, -1, -1)).mu
                for x, u in self._parts(X, features)
            ]
        return torch.cat(parts, 1).numpy()

    def _parts(self, X: np.ndarray, features: np.ndarray | None) -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
        size = max(1, PARTS // X.shape[1])
        for start in range(0, len(X), size):
            rows = slice(start, start + size)
            u_part = None if features is None else torch.tensor(features[rows], dtype=torch.float64)[None]
            yield torch.tensor(X[rows])[None], u_part  # a copy: X may be read-only

    def _features(self, u: Any, n: int | None) -> np.ndarray:
        """Return u as the model takes it: labels one-hot, numbers as columns."""
        known = self._u(u, n)
        if not self.u_labels_:
            return np.asarray(known["u"], np.float64).reshape(len(known["u"]), -1)
        codes = [self.u_labels_.index(str(v)) if str(v) in self.u_labels_ else -1 for v in np.ravel(u)]
        if -1 in codes:
            unknown = str(np.ravel(u)[codes.index(-1)])
            raise ValueError(f"u has the label {unknown!r}, which was not there when the model was fitted.")
        return np.eye(len(self.u_labels_))[codes]

    def _u(self, y: Any, n: int | None) -> dict[str, Any]:
        if y is None:
            raise ValueError(
                "An iVAE requires y to be passed, but the target y is None: give u as y, one label or row of "
                "numbers an example."
            )
        u = np.asarray(y)
        if n is not None and len(u) != n:
            raise ValueError(f"X has {n} rows and u has {len(u)}; they must describe the same examples.")
        if u.ndim == 1 and u.dtype.kind in "iubUSO":
            codes, labels = encode_labels(u.astype(str) if u.dtype.kind == "O" else u)
            return {"u": codes, "u_labels": labels}
        return {"u": u.astype(np.float64)}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.model == "ivae"
        return tags
