import numpy as np
import pytest

from explorer.evaluation.photo_set import PhotoSet


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        PhotoSet(
            np.zeros((2, 8, 8, 3), np.uint8), np.zeros(2, np.int64), np.zeros((2, 3), np.float32)
        )
