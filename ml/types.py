"""Array types of the library. Shape suffixes: N samples, B batch, C classes, H rows, W columns."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
StrArray: TypeAlias = NDArray[np.str_]
ImageArray: TypeAlias = NDArray[np.uint8]
FeatureArray: TypeAlias = NDArray[np.float16]
"""What a frozen network sees: (N, views, D)."""
