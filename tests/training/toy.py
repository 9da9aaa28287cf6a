"""Photos made on the spot: a bright box on a dark ground, a color for every class."""

import cv2
import numpy as np

from explorer.evaluation.photo_set import PhotoSet

COLORS = np.array([[255, 40, 40], [40, 255, 40], [60, 60, 255], [255, 255, 60]], np.uint8)


def toy_photos(count: int = 24, classes: int = 4, seed: int = 0) -> PhotoSet:
    """64x64; the box is filled with the color of the class, everything else is dark gray."""
    rng = np.random.default_rng(seed)
    pixels = np.full((count, 64, 64, 3), 20, np.uint8)
    labels = np.arange(count) % classes
    boxes = np.zeros((count, 4), np.float32)
    for i in range(count):
        x0, y0 = rng.integers(4, 20, 2)
        x1, y1 = rng.integers(40, 60, 2)
        pixels[i, y0:y1, x0:x1] = COLORS[labels[i]]
        boxes[i] = x0, y0, x1, y1
    return PhotoSet(pixels, labels, boxes)


def write_npz(path, photos: PhotoSet) -> None:
    """The format of the real data: JPEG bytes end to end, inclusive boxes."""
    streams = [cv2.imencode(".jpg", p[..., ::-1])[1].ravel() for p in photos.pixels]
    offset = np.cumsum([0, *(len(s) for s in streams)])
    inclusive = photos.boxes - np.array([0, 0, 1, 1])
    np.savez(
        path,
        jpeg=np.concatenate(streams),
        offset=offset,
        label=photos.labels.astype(np.int16),
        box=inclusive.astype(np.int16),
    )


CLASSES = "n1\tred thing, red\nn2\tgreen thing\nn02084071\tdog, hound\nn09287968\thill\n"
TREE = (
    "wnid\tparent\tname\n"
    "n1\tn00021939\tred thing, red\n"
    "n2\tn02958343\tgreen thing\n"
    "n02958343\tn00021939\tcar, auto\n"
    "n00021939\tn0\tartifact\n"
    "n02084071\tn0\tdog, hound\n"
    "n09287968\tn0\thill\n"
    "n0\t\tentity, everything\n"
)


def write_data(folder) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_npz(folder / "train.npz", toy_photos())
    write_npz(folder / "val.npz", toy_photos(8, seed=1))
    (folder / "classes.tsv").write_text(CLASSES)
    (folder / "wordnet_tree.tsv").write_text(TREE)
