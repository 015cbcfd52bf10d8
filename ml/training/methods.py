"""The training methods as data: few orthogonal pieces, one row of the paper's table each."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

MixtureKind = Literal["beta", "gaussian"]


class Mixing(Enum):
    """How pairs of images are mixed."""

    NONE = "none"
    STATIC = "static"
    """Mixup: one weight from Be(alpha, alpha) for the batch (paper, section 3.3)."""
    DYNAMIC = "dynamic"
    """Each pair by its own probabilities of being clean (paper, section 3.4)."""


class Correction(Enum):
    """Weight with which the network's own target replaces a given label."""

    NONE = "none"
    STATIC = "static"
    """By one fixed weight for all samples (Reed et al. 2015)."""
    DYNAMIC = "dynamic"
    """By each sample's probability of being noisy (paper, section 3.2)."""


class Target(Enum):
    """Form of the network's own target."""

    HARD = "hard"
    """The most probable class."""
    SOFT = "soft"
    """All class probabilities."""
    SOFT_TO_HARD = "soft-to-hard"
    """Class probabilities at a temperature that falls from 1 to nearly 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """One row of the paper's table of methods."""

    mixing: Mixing = Mixing.NONE
    correction: Correction = Correction.NONE
    target: Target = Target.HARD
    static_weight: float = 0.0
    """Weight of the network's own target under static correction, in [0, 1]."""
    mixture_kind: MixtureKind = "beta"
    """Family of the noise model, which gives the probability that a label is wrong."""
    regularise: bool = False
    """Pull the batch's mean prediction to the uniform prior (paper, section 3.2)."""

    @property
    def uses_noise_model(self) -> bool:
        """Whether the probability that a label is wrong has a part in training."""
        return self.correction is Correction.DYNAMIC or self.mixing is Mixing.DYNAMIC

    def without_correction(self) -> "Method":
        """Return the method's mixing alone: the given labels are taken as they are."""
        return Method(mixing=self.mixing, mixture_kind=self.mixture_kind)

    def warm_up(self) -> "Method":
        """Return the method before the noise model is trusted: mixup, or cross-entropy."""
        mixing = Mixing.NONE if self.mixing is Mixing.NONE else Mixing.STATIC
        return replace(self.without_correction(), mixing=mixing)


def _dynamic(
    target: Target, mixing: Mixing = Mixing.NONE, mixture_kind: MixtureKind = "beta"
) -> Method:
    # The paper regularises where bootstrapping meets mixup; its plain bootstrapping does without.
    return Method(
        mixing=mixing,
        correction=Correction.DYNAMIC,
        target=target,
        mixture_kind=mixture_kind,
        regularise=mixing is not Mixing.NONE,
    )


METHODS: dict[str, Method] = {
    "ce": Method(),
    "mixup": Method(mixing=Mixing.STATIC),
    "st-s": Method(correction=Correction.STATIC, target=Target.SOFT, static_weight=0.05),
    "st-h": Method(correction=Correction.STATIC, target=Target.HARD, static_weight=0.2),
    "dy-s": _dynamic(Target.SOFT),
    "dy-h": _dynamic(Target.HARD),
    "dy-gmm": _dynamic(Target.HARD, mixture_kind="gaussian"),
    "m-dyr-s": _dynamic(Target.SOFT, Mixing.STATIC),
    "m-dyr-h": _dynamic(Target.HARD, Mixing.STATIC),
    "md-dyr-h": _dynamic(Target.HARD, Mixing.DYNAMIC),
    "md-dyr-sh": _dynamic(Target.SOFT_TO_HARD, Mixing.DYNAMIC),
}


def get_method(name: str) -> Method:
    """Return a method by name.

    Raises:
        ValueError: When there is no such method; the message names the known ones.
    """
    try:
        return METHODS[name]
    except KeyError:
        raise ValueError(f"unknown method {name!r}; known: {', '.join(METHODS)}") from None
