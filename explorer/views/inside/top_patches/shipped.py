"""The strongest cells of the samples in EfficientNet-Lite0's main layers come with the program.

python -m explorer.views.inside.top_patches.shipped FILE

The samples themselves are scikit-image's: the file has only where in them each channel is
strongest, and how strong it is there. A sample is known by the digest of its bytes, so that another
edition of it is computed like any other photo.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.batch.features import LayerFeatures
from explorer.batch.index.job import Index, about
from explorer.batch.index.store import PEAKS, Entry, key_of
from explorer.batch.ready import loaded
from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.core.storage import checkpoint as files
from explorer.core.storage.checkpoint import Checkpoint
from explorer.views.shared.folders.album import album_of, open_member

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.batch.index.store import Key
    from explorer.batch.photos import Photo
    from explorer.networks.network import Network

NETWORK = "efficientnet-lite0"
LAYERS = (
    "act1", "blocks.0", "blocks.1.0.act1", "blocks.1", "blocks.2.0.act1", "blocks.2",
    "blocks.3.0.act1", "blocks.3.1.act1", "blocks.3", "blocks.4.0.act1", "blocks.4",
    "blocks.5.0.act1", "blocks.5", "blocks.6.0.act1", "blocks.6", "act2",
)  # fmt: skip
"""The output of each stage, the first activation function of each, and the view's default layer."""


def shipped_file() -> Path:
    """Where it is."""
    return resource_path("patches", f"{NETWORK}.npz")


def shipped_rows(network: Network, layer: str, file: Path | None = None) -> dict[Key, Entry]:
    """The samples' rows of an index of peaks.

    Args:
        network: Any; there are rows only for the weights and the input that the file was made with.
        layer: The name of one of its layers.
        file: Another one than `shipped_file`.

    Returns:
        By photo; empty where the file has nothing of this layer.
    """
    if network.info.spec.name != NETWORK:
        return {}
    found = files.read(file or shipped_file())
    if found is None or found.content.get("of") != _of(network):
        return {}
    grid = found.content["grids"].get(layer)
    if grid is None:
        return {}
    places = {digest: place for place, digest in enumerate(found.content["photos"])}
    peaks, cells = found.arrays[f"{layer} peak"], found.arrays[f"{layer} cell"]
    rows = {}
    for photo in album_of(None).photos:
        key, place = key_of(photo), places.get(_digest(photo))
        if key is None or place is None:
            continue
        width, height = found.content["sizes"][place]
        arrays = {"peak": peaks[place], "cell": cells[place].astype(np.uint32)}
        rows[key] = Entry(
            key, photo.name, photo.address, (width, height), (grid[0], grid[1]), True, arrays
        )
    return rows


def made(network: Network, layers: Sequence[str], photos: Sequence[Photo]) -> Checkpoint:
    """What the file holds: computed of photos that are files, in layers whose cells are places.

    Raises:
        ExplorerError: A photo cannot be read, or the network has no such layer.
    """
    grids, arrays, sizes = {}, {}, list[tuple[int, int]]()
    for layer in layers:
        job = Index(LayerFeatures.of(network, layer), PEAKS, open_member)
        entries = [job.entries([job.load(photo)])[0] for photo in photos]
        grids[layer] = entries[0].grid
        sizes = [entry.size for entry in entries]
        arrays[f"{layer} peak"] = np.stack([entry.arrays["peak"] for entry in entries])
        cells = np.stack([entry.arrays["cell"] for entry in entries])
        arrays[f"{layer} cell"] = cells.astype(np.uint16)  # maps have at most 112 x 112 cells
    content = {
        "of": _of(network), "grids": grids, "photos": [_digest(photo) for photo in photos],
        "sizes": sizes,
    }  # fmt: skip
    return Checkpoint(content, arrays)


def _of(network: Network) -> dict[str, Any]:
    return about(network, "", PEAKS)


def _digest(photo: Photo) -> str:
    try:
        return hashlib.sha256(Path(photo.address).read_bytes()).hexdigest()
    except OSError:
        return ""


def main() -> None:
    """Make the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    args = parser.parse_args()
    network = loaded(NetworkSpec(NETWORK, device="cpu"))
    files.write(args.file, made(network, LAYERS, album_of(None).photos))


if __name__ == "__main__":
    main()
