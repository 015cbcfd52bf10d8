"""The losses of the methods. All are linear in the target, so targets are mixed, not losses."""

import torch
from torch import Tensor
from torch.nn import functional

from ml.training.methods import Correction, Method, Mixing, Target, get_method

MIN_TEMPERATURE = 1e-3
"""Where the published schedule of the soft-to-hard target ends."""


def loss(
    method: str,
    mixed_logits: Tensor,
    plain_logits: Tensor | None,
    target: Tensor,
    perm: Tensor,
    w: Tensor,
    delta: float,
    temperature: float,
) -> Tensor:
    """Return the mean loss of a batch, with the method's regulariser (paper, sections 3.2 to 3.4).

    Args:
        method: Name of the method.
        mixed_logits: Logits of the mixed images, shape (B, C), with gradient.
        plain_logits: Logits of the un-mixed images, shape (B, C); needed only by methods that
            correct labels. No gradient flows into them.
        target: Given labels, shape (B,), int64 in [0, C).
        perm: Partner of each sample in the mix, shape (B,), a permutation of 0..B-1.
        w: Probability that each given label is wrong, shape (B,), in [0, 1]; methods with a
            static correction do not read it.
        delta: Weight of the sample itself in the mix, in [0, 1]; its partner has `1 - delta`.
            Under dynamic mixing both losses weigh a half.
        temperature: Of the soft-to-hard target, above 0; other methods do not read it.

    Returns:
        A scalar, in nats.

    Raises:
        ValueError: On an unknown method, or where `plain_logits` are needed and missing.
    """
    recipe = get_method(method)
    return step_loss(recipe, mixed_logits, plain_logits, target, perm, w, delta, temperature)


def step_loss(
    recipe: Method,
    mixed_logits: Tensor,
    plain_logits: Tensor | None,
    target: Tensor,
    perm: Tensor,
    w: Tensor,
    delta: float,
    temperature: float,
) -> Tensor:
    """Return the mean loss of a batch under a recipe; arguments as for `loss`."""
    target_BC = corrected_target(
        recipe, plain_logits, target, w, num_classes=mixed_logits.shape[1], temperature=temperature
    )
    if recipe.mixing is not Mixing.NONE:
        share = delta if recipe.mixing is Mixing.STATIC else 0.5
        target_BC = share * target_BC + (1.0 - share) * target_BC[perm]
    log_prob_BC = functional.log_softmax(mixed_logits, dim=1)
    value = -(target_BC * log_prob_BC).sum(dim=1).mean()
    if recipe.regularise:
        value = value + uniform_prior_penalty(mixed_logits)
    return value


def corrected_target(
    method: Method,
    plain_logits_BC: Tensor | None,
    target_B: Tensor,
    w_B: Tensor,
    *,
    num_classes: int,
    temperature: float,
) -> Tensor:
    """Return the target `(1 - w) y + w t`, shape (B, C); t is the network's own target."""
    given_BC = functional.one_hot(target_B, num_classes).to(w_B.dtype)
    if method.correction is Correction.NONE:
        return given_BC
    if plain_logits_BC is None:
        raise ValueError("this method corrects labels: it needs the logits of un-mixed images")
    own_BC = own_target(method.target, plain_logits_BC.detach(), temperature).to(w_B.dtype)
    if method.correction is Correction.STATIC:
        return torch.lerp(given_BC, own_BC, method.static_weight)
    return torch.lerp(given_BC, own_BC, w_B[:, None])


def own_target(target: Target, logits_BC: Tensor, temperature: float) -> Tensor:
    """Return the network's own target, shape (B, C), rows sum to 1."""
    match target:
        case Target.HARD:
            return functional.one_hot(logits_BC.argmax(dim=1), logits_BC.shape[1])
        case Target.SOFT:
            return functional.softmax(logits_BC, dim=1)
        case Target.SOFT_TO_HARD:
            return functional.softmax(logits_BC / max(temperature, MIN_TEMPERATURE), dim=1)


def uniform_prior_penalty(logits_BC: Tensor) -> Tensor:
    """Return R, the divergence of the uniform prior from the batch's mean prediction.

    Keeps bootstrapping from collapsing to one class (paper, section 3.2). Computed in log space.
    """
    num_samples, num_classes = logits_BC.shape
    log_prob_BC = functional.log_softmax(logits_BC, dim=1)
    log_mean_C = torch.logsumexp(log_prob_BC, dim=0) - torch.log(
        log_prob_BC.new_tensor(num_samples)
    )
    return -(log_mean_C.mean() + torch.log(log_prob_BC.new_tensor(num_classes)))
