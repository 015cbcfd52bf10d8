"""The fitted mixtures: immutable objects that own their normalisation."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit
from typing_extensions import override

from ml.mixture.em import BetaPair, GaussianPair, Pair
from ml.mixture.points import LinearRange, MedianRatio, Normalisation, Points, PublishedRange
from ml.types import FloatArray

NUM_CELLS = 100

Mode = Literal["robust", "faithful"]
TwoFloats = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixture(ABC):
    """Two components of per-sample losses. Index 0 is clean, index 1 is noisy.

    Where the losses could not be divided at all, `weight` is (1, 0) and the posterior 0 everywhere.
    """

    weight: TwoFloats
    normalisation: Normalisation
    """The map from losses to (0, 1), where the components live."""
    noise_rate: float
    """Estimated share of samples of the noisy component, 0 to 1."""
    noise_rate_interval: TwoFloats
    """95 % interval of `noise_rate`: sampling error under the model, widened on both sides by the
    expected share of samples that are assigned to the other component."""
    converged: bool
    num_iterations: int
    log_likelihood: float
    """Sum of log p(x) over the fitted normalised losses."""
    fallback: str | None
    """Why no two-component fit was used: a stable name, or None."""
    p_two_groups: float = 1.0
    """Probability of two components rather than one, 0 to 1: a factor of the posterior."""
    mode: Mode
    """`robust` (the posterior never falls as the loss rises) or `faithful` (as published)."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """Family of the components: `beta` or `gaussian`."""

    @abstractmethod
    def components(self) -> dict[str, TwoFloats]:
        """Return the parameters of both components by name."""

    @abstractmethod
    def _pair(self) -> Pair: ...

    @abstractmethod
    def _rising_range(self) -> TwoFloats:
        """Return the normalised losses between which the posterior rises."""

    def normalise(self, losses_N: ArrayLike) -> FloatArray:
        """Map losses into (0, 1).

        Args:
            losses_N: Losses, shape (N,), non-negative, in nats.

        Returns:
            Array of shape (N,); NaN where the loss is NaN.
        """
        return self.normalisation.normalise(losses_N)

    def posterior(self, losses_N: ArrayLike) -> FloatArray:
        """Return the probability of the noisy component, p(k=1 | loss), exactly.

        Args:
            losses_N: Losses, shape (N,), non-negative, in nats.

        Returns:
            Array of shape (N,) in [0, 1]; NaN where the loss is NaN.
        """
        return self.posterior_normalised(self.normalise(losses_N))

    def posterior_normalised(self, x_N: FloatArray) -> FloatArray:
        """Return the posterior of normalised losses, shape (N,), each inside (0, 1)."""
        if self.weight[1] == 0.0:
            return np.where(np.isnan(x_N), np.nan, 0.0)
        if self.mode == "robust":
            x_N = np.clip(x_N, *self._rising_range())
        log_density_KN = self._pair().log_density(_points(x_N))
        log_prior_odds = np.log(self.weight[1]) - np.log(self.weight[0])
        log_odds_N = log_density_KN[1] - log_density_KN[0] + log_prior_odds
        return np.asarray(self.p_two_groups * expit(log_odds_N), dtype=np.float64)

    def lookup(self) -> FloatArray:
        """Return the posterior in the 100 cells of the published code.

        Cells right of the maximum hold the maximum. Read at `floor(100 * normalised loss)`.
        """
        cell = self.posterior_normalised(np.linspace(1e-12, 1.0 - 1e-12, NUM_CELLS))
        cell[np.argmax(cell) :] = cell.max()
        return cell

    def density(self, losses_M: ArrayLike) -> FloatArray:
        """Return weight_k p(loss | k), shape (2, M), per nat: the curves over a loss histogram."""
        losses = np.asarray(losses_M, dtype=np.float64)
        log_density_KM = self._pair().log_density(_points(self.normalise(losses)))
        weight_K1 = np.asarray(self.weight)[:, None]
        both_KM = weight_K1 * np.exp(log_density_KM) * self.normalisation.slope(losses)
        noisy_M = self.p_two_groups * both_KM[1]
        return np.stack([both_KM.sum(axis=0) - noisy_M, noisy_M])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers, strings and sequences: ready for JSON, and exact."""
        return {"kind": self.kind} | asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class BetaMixture(Mixture):
    """A mixture of Beta distributions (paper, section 3.1)."""

    alpha: TwoFloats
    beta: TwoFloats

    @property
    @override
    def kind(self) -> str:
        return "beta"

    @override
    def components(self) -> dict[str, TwoFloats]:
        return {"alpha": self.alpha, "beta": self.beta}

    @override
    def _pair(self) -> BetaPair:
        return BetaPair(np.array(self.alpha), np.array(self.beta), np.array(self.weight))

    @override
    def _rising_range(self) -> TwoFloats:
        """Return the interval on which the posterior rises.

        The log odds are const + p log(x) + q log(1-x) with p = a1 - a0 and q = b1 - b0: they have
        at most one turning point, p / (p + q). Beyond it the posterior is held at its value there.
        """
        rise = self.alpha[1] - self.alpha[0]
        fall = self.beta[1] - self.beta[0]
        if rise >= 0.0 >= fall or rise + fall == 0.0:
            return 0.0, 1.0
        turning = min(max(rise / (rise + fall), 0.0), 1.0)
        return (turning, 1.0) if rise < 0.0 else (0.0, turning)


@dataclass(frozen=True, kw_only=True, slots=True)
class GaussianMixture(Mixture):
    """A mixture of Gaussian distributions, the paper's comparison."""

    mean: TwoFloats
    variance: TwoFloats

    @property
    @override
    def kind(self) -> str:
        return "gaussian"

    @override
    def components(self) -> dict[str, TwoFloats]:
        return {"mean": self.mean, "variance": self.variance}

    @override
    def _pair(self) -> GaussianPair:
        return GaussianPair(np.array(self.mean), np.array(self.variance), np.array(self.weight))

    @override
    def _rising_range(self) -> TwoFloats:
        """Return the interval on which the posterior rises.

        The log odds are a parabola. Its vertex is where the wider component takes over on its far
        side; beyond it the posterior is held at its value there.
        """
        precision = (1.0 / self.variance[0], 1.0 / self.variance[1])
        difference = precision[0] - precision[1]
        if difference == 0.0:
            return 0.0, 1.0
        vertex = (self.mean[0] * precision[0] - self.mean[1] * precision[1]) / difference
        turning = min(max(vertex, 0.0), 1.0)
        return (turning, 1.0) if difference > 0.0 else (0.0, turning)


def mixture_from_dict(values: dict[str, Any]) -> Mixture:
    """Rebuild a mixture from what `to_dict` gave, also after a round trip through JSON."""
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    normalisation = values["normalisation"]
    robust = MedianRatio if "scale" in normalisation else LinearRange
    kind_of_map = PublishedRange if values["mode"] == "faithful" else robust
    fields["normalisation"] = kind_of_map(**normalisation)
    return BetaMixture(**fields) if fields.pop("kind") == "beta" else GaussianMixture(**fields)


def _points(x_N: FloatArray) -> Points:
    return Points(x_N, np.log(x_N), np.log1p(-x_N), np.ones_like(x_N))
