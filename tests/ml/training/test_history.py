import pytest
import torch

from ml.training.history import SampleHistory


def test_margin_is_the_given_logit_less_the_best_other_averaged_over_epochs() -> None:
    label_N = torch.tensor([0, 2])
    history = SampleHistory.empty(2, 3)
    for logits in ([[4.0, 1.0, 0.0], [0.0, 5.0, 2.0]], [[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]):
        history = history.updated(torch.tensor(logits).log_softmax(dim=1), label_N)
    # The margins are 3 and 1, -3 and 1; of two epochs the later one weighs four fifths.
    assert history.mean_margin.tolist() == pytest.approx([1.4, 0.2], abs=1e-6)


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


def test_later_epochs_weigh_more_as_the_cube_of_their_number() -> None:
    history, label_N = SampleHistory.empty(1, 2), torch.tensor([0])
    losses = torch.arange(1.0, 11.0)
    for loss in losses:
        log_prob_NC = torch.stack([-loss, torch.log1p(-torch.exp(-loss))])[None]
        history = history.updated(log_prob_NC, label_N)
    weight = torch.arange(1.0, 11.0) * torch.arange(2.0, 12.0) * torch.arange(3.0, 13.0)
    expected = float((weight * losses).sum() / weight.sum())
    assert history.mean_loss.item() == pytest.approx(expected, rel=1e-5)
    assert history.mean_log_prob[0, 0].item() == pytest.approx(-expected, rel=1e-5)
