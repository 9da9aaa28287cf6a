"""Finds the photos with the most similar activations of a layer."""

import sys

import numpy as np

import explorer


def feature_vector(photo: str) -> np.ndarray:
    """(C,) of length 1: the mean of every feature map of a late layer."""
    maps = explorer.look("feature_maps", photo, network="mini-resnet", layer="layer4").data[
        "activation"
    ]
    mean = maps.mean(axis=(1, 2))
    return mean / np.linalg.norm(mean)


def main(photos: list[str]) -> None:
    """Prints the nearest other photo of each."""
    vectors = np.stack([feature_vector(photo) for photo in photos])
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -1.0)
    for row, photo in enumerate(photos):
        best = int(similarity[row].argmax())
        print(f"{photo}: nearest {photos[best]}, cosine {similarity[row, best]:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["cat", "astronaut", "coffee", "rocket", "brick", "grass"])
