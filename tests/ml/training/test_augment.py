import numpy as np
import pytest
import torch

from ml.training.augment import crop_and_flip, dynamic_share, mix_inputs


def images(num_images: int = 200, *, size: int = 8) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(1, 255, (num_images, size, size, 3), dtype=np.uint8))


def test_every_image_gets_a_shift_of_its_own() -> None:
    column_BHWC = torch.zeros(300, 8, 8, 3, dtype=torch.uint8)
    column_BHWC[:, 4, 4] = 200
    moved_BHWC = crop_and_flip(
        column_BHWC, np.random.default_rng(0), pad=2, flip=False, border="black"
    )
    places = {tuple(place) for place in moved_BHWC[..., 0].nonzero()[:, 1:].tolist()}
    assert places == {(row, column) for row in range(2, 7) for column in range(2, 7)}


def test_no_shift_and_no_flip_change_nothing() -> None:
    image_BHWC = images()
    for border in ("mirror", "black"):
        same = crop_and_flip(
            image_BHWC,
            np.random.default_rng(0),
            pad=0,
            flip=False,
            border=border,
        )
        assert torch.equal(same, image_BHWC)


def test_about_half_of_the_images_are_flipped() -> None:
    image_BHWC = images()
    flipped_BHWC = crop_and_flip(image_BHWC, np.random.default_rng(0), pad=0, flip=True)
    is_same_B = (flipped_BHWC == image_BHWC).flatten(1).all(1)
    is_mirrored_B = (flipped_BHWC == image_BHWC.flip(2)).flatten(1).all(1)
    assert bool((is_same_B ^ is_mirrored_B).all())
    assert 70 < int(is_mirrored_B.sum()) < 130


def test_the_border_is_black_or_the_mirror_image() -> None:
    image_BHWC = images(50)
    black, mirror = (
        crop_and_flip(image_BHWC, np.random.default_rng(1), pad=3, flip=False, border=border)
        for border in ("black", "mirror")
    )
    is_outside = black == 0
    assert bool(is_outside.any())
    assert not bool((mirror == 0).any())
    assert torch.equal(black[~is_outside], mirror[~is_outside])


def test_a_cleaner_label_weighs_more() -> None:
    p_noisy_B = torch.tensor([0.0, 1.0, 0.5])
    perm_B = torch.tensor([1, 2, 0])
    share_B = dynamic_share(p_noisy_B, perm_B)
    assert share_B.tolist() == pytest.approx([0.9999, 0.0002, 1 / 3], abs=1e-4)
    assert bool(dynamic_share(torch.ones(2), torch.tensor([1, 0])).eq(0.5).all())


def test_mixing_takes_one_share_or_one_for_each_image() -> None:
    image_BCHW = torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1)
    perm_B = torch.tensor([1, 0])
    assert mix_inputs(image_BCHW, perm_B, 0.25).flatten().tolist() == [2.5, 1.5]
    each = mix_inputs(image_BCHW, perm_B, torch.tensor([0.25, 1.0]))
    assert each.flatten().tolist() == [2.5, 3.0]
