"""A pickle of arrays is read without being run."""

import io
import os
import pickle
import struct

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.networks.faces.packed_arrays import read_packed, unpickled_arrays

joblib = pytest.importorskip("joblib")
NUMBERS = np.arange(12, dtype=np.float32).reshape(3, 4)


def written(value) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file)
    return file.getvalue()


def test_arrays_are_those_that_were_written():
    given = [NUMBERS, NUMBERS.T, np.float32([7.5]), np.empty((0, 2), np.float32)]
    found = unpickled_arrays(written(given))
    assert len(found) == len(given)
    for array, expected in zip(found, given, strict=True):
        np.testing.assert_array_equal(array, expected)
        assert array.dtype == np.float32


class Trap:
    def __init__(self, place):
        self.place = str(place)

    def __reduce__(self):
        return os.mkdir, (self.place,)


@pytest.mark.parametrize("around", [lambda trap: trap, lambda trap: [NUMBERS, trap]])
def test_a_trap_is_not_sprung(tmp_path, around):
    place = tmp_path / "sprung"
    content = written(around(Trap(place)))
    with pytest.raises(pickle.UnpicklingError, match=r"it names posix\.mkdir|it names nt\.mkdir"):
        unpickled_arrays(content)
    assert not place.exists()
    pickle.loads(pickle.dumps(Trap(place)))
    assert place.exists()  # the same one, where it is run


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([np.array([1, 2])], "numbers of type i8"),
        ([np.array([{}], object)], "numbers of type O8"),
        ([NUMBERS.astype(">f4")], "byte order >"),
        ([np.float64(3)], "it names numpy"),
        ([1.0], "damaged"),
        (3, "damaged"),
    ],
)
def test_anything_else_than_an_array_of_floats_is_refused(value, words):
    with pytest.raises(pickle.UnpicklingError, match=words):
        unpickled_arrays(written(value))


def test_an_array_cannot_claim_more_than_there_may_be():
    content = written([NUMBERS])
    shape = content.index(b"K\x03K\x04")
    huge = content[:shape] + b"J" + struct.pack("<i", 2**30) + content[shape + 2 :]
    # the frame of the pickle is longer by three bytes
    frame = struct.unpack("<Q", content[3:11])[0]
    huge = huge[:3] + struct.pack("<Q", frame + 3) + huge[11:]
    with pytest.raises(pickle.UnpicklingError, match="an array of shape"):
        unpickled_arrays(huge)


def test_wherever_it_is_cut_it_is_refused():
    content = written([NUMBERS, NUMBERS])
    for end in range(0, len(content), 7):
        with pytest.raises(pickle.UnpicklingError):
            unpickled_arrays(content[:end])


def test_a_file_that_lz4_has_not_packed_is_refused_in_words(tmp_path):
    frame = pytest.importorskip("lz4.frame")
    path = tmp_path / "net.lz4"
    path.write_bytes(written([NUMBERS]))
    with pytest.raises(ExplorerError, match=r"net\.lz4 is not a list of arrays"):
        read_packed(path)
    path.write_bytes(frame.compress(written([NUMBERS])))
    np.testing.assert_array_equal(read_packed(path)[0], NUMBERS)
