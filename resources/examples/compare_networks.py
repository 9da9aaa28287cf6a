"""Asks several networks about the same photo and says where they agree."""

import sys

import numpy as np

import explorer

NETWORKS = ("mini-resnet", "mini-vgg")


def main(photo: str) -> None:
    """Prints the first three classes of each, and how alike the shares of all classes are."""
    shares = []
    for network in NETWORKS:
        data = explorer.look("classify", photo, network=network).data
        print(f"{network}: {', '.join(data['class'][:3])}")
        by_index = np.zeros(len(data["index"]))
        by_index[data["index"]] = data["probability"]
        shares.append(by_index)
    one, other = shares
    alike = one @ other / np.sqrt((one @ one) * (other @ other))
    print(f"cosine similarity of their probabilities: {alike:.2f}")


if __name__ == "__main__":
    main(*(sys.argv[1:2] or ["cat"]))
