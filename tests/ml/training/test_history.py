import pytest
import torch

from ml.training.history import SampleHistory


def test_margin_is_the_given_logit_less_the_best_other_averaged_over_epochs() -> None:
    label_N = torch.tensor([0, 2])
    history = SampleHistory.empty(2, 3)
    for logits in ([[4.0, 1.0, 0.0], [0.0, 5.0, 2.0]], [[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]):
        history = history.updated(torch.tensor(logits).log_softmax(dim=1), label_N)
    assert history.mean_margin.tolist() == pytest.approx([2.0, -1.0])


def test_losses_of_every_epoch_are_kept() -> None:
    label_N = torch.tensor([0, 1])
    history = SampleHistory.empty(2, 2)
    for _ in range(3):
        history = history.updated(torch.zeros(2, 2).log_softmax(dim=1), label_N)
    assert history.losses.shape == (3, 2)
    assert history.losses.float().numpy() == pytest.approx(0.6931, abs=1e-3)


def test_a_huge_loss_stays_finite_in_the_record() -> None:
    log_prob_NC = torch.tensor([[-1e6, 0.0], [0.0, -1e6]])
    history = SampleHistory.empty(2, 2).updated(log_prob_NC, torch.tensor([0, 0]))
    assert history.losses.isfinite().all()
