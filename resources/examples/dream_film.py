"""Makes a film of DeepDream: every step is a frame."""

import sys
from collections.abc import Iterator

import numpy as np

import explorer
from explorer.saving.export import save_film


def frames(photo: str, steps: int) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8, one for each step."""
    asked = {"network": "mini-resnet", "layer": "layer3", "size": 256, "octaves": 3}
    for answer in explorer.steps("deep_dream", photo, seed=7, steps=steps, **asked):
        yield answer.frame()


def main(photo: str, steps: int = 10) -> None:
    """Writes dream.gif."""
    print(f"dream.gif: {save_film('dream.gif', frames(photo, steps), 12.0).frames} frames")


if __name__ == "__main__":
    words = sys.argv[1:] or ["cat"]
    main(words[0], *map(int, words[1:2]))
