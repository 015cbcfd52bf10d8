import numpy as np

import ml
from tests.ml.support import colour_images


def test_images_of_one_colour_keep_it_at_any_size() -> None:
    image_NHWC = np.full((3, 10, 10, 3), (200, 100, 7), dtype=np.uint8)
    for size in (4, 10, 33):
        out = np.zeros((3, size, size, 3), dtype=np.uint8)
        ml.resize_images(image_NHWC, out=out)
        assert np.all(out == image_NHWC[0, 0, 0])


def test_every_image_of_many_chunks_is_resized() -> None:
    image_NHWC, _ = colour_images(2100)
    out = np.zeros((2100, 4, 4, 3), dtype=np.uint8)
    ml.resize_images(image_NHWC, out=out)
    expected = image_NHWC.astype(float).mean(axis=(1, 2))
    assert np.abs(out.astype(float).mean(axis=(1, 2)) - expected).max() < 6.0
