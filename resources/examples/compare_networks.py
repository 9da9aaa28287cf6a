"""Compares the predictions of two networks for one photo."""

import sys

import numpy as np

import explorer

NETWORKS = ("mini-resnet", "mini-vgg")


def main(photo: str) -> None:
    """Prints the top three classes of each, and the similarity of their probabilities."""
    vectors = []
    for network in NETWORKS:
        data = explorer.look("classify", photo, network=network).data
        print(f"{network}: {', '.join(data['class'][:3])}")
        by_index = np.zeros(len(data["index"]))
        by_index[data["index"]] = data["probability"]
        vectors.append(by_index)
    one, other = vectors
    similarity = one @ other / np.sqrt((one @ one) * (other @ other))
    print(f"cosine similarity of their probabilities: {similarity:.2f}")


if __name__ == "__main__":
    main(*(sys.argv[1:2] or ["cat"]))
