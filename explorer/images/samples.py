"""Pictures that are always there: photos that ship inside scikit-image, and generated scenes.

The photos are read from the installed package's own folder; nothing is ever downloaded. The scenes
are the same at every start: each is a pure function with its seed inside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.images.image import Image, from_array, open_image

if TYPE_CHECKING:
    from collections.abc import Callable

_PHOTOS = (
    ("cat", "Cat", "chelsea.png", "Chelsea, by Stéfan van der Walt, CC0"),
    ("astronaut", "Astronaut", "astronaut.png", "Eileen Collins, by NASA, public domain"),
    ("coffee", "Coffee", "coffee.png", "Rachel Michetti, Pikolo Espresso Bar, CC0"),
    ("rocket", "Rocket", "rocket.jpg", "DSCOVR on Falcon 9, by SpaceX, public domain"),
    (
        "motorcycle",
        "Motorcycle",
        "motorcycle_left.png",
        "Middlebury stereo benchmark, Scharstein et al. 2014",
    ),
    ("camera", "Photographer", "camera.png", "Lav Varshney, CC0"),
    ("coins", "Coins", "coins.png", "Brooklyn Museum, no known copyright restrictions"),
    ("galaxies", "Galaxies", "hubble_deep_field.jpg", "Hubble eXtreme Deep Field, NASA"),
    ("retina", "Retina", "retina.jpg", "Mikael Häggström, CC0"),
    ("brick", "Brick wall", "brick.png", "CC0 Textures, CC0"),
    ("grass", "Grass", "grass.png", "CC0"),
)

_SCENES = (
    ("shapes", "Shapes of many sizes"),
    ("gratings", "Zone plate and gratings"),
    ("crowd", "Crowd of balls"),
    ("page", "Printed page"),
    ("colors", "Color wheel"),
    ("edges", "Edges and textures"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture of the gallery: `name` for the command line, `title` and `credit` for people."""

    name: str
    title: str
    credit: str
    _make: Callable[[], Image] = field(repr=False)

    def load(self) -> Image:
        """Reads or generates it: the same pixels every time.

        Raises:
            ExplorerError: scikit-image's file has become unreadable.
        """
        return self._make()


def gallery() -> tuple[Sample, ...]:
    """Returns the photos that are installed, then the generated scenes; nothing is loaded yet."""
    photos = []
    folder = _photo_folder()
    for name, title, file, credit in _PHOTOS:
        if folder is not None and (folder / file).is_file():
            photos.append(Sample(name, title, f"{credit} (scikit-image)", _reader(folder / file)))
    scenes = (
        Sample(name, title, "Painted by Convnet Explorer", _generator(name))
        for name, title in _SCENES
    )
    return (*photos, *scenes)


def _photo_folder() -> Path | None:
    # Found without importing scikit-image, which takes long and might fetch what it does not have.
    spec = find_spec("skimage")
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) / "data" if places else None


def _reader(path: Path) -> Callable[[], Image]:
    return lambda: open_image(path)


def _generator(name: str) -> Callable[[], Image]:
    def generate() -> Image:
        from explorer.images.generated import SCENES  # late: it brings OpenCV in

        return from_array(SCENES[name](), name)

    return generate


def sample(name: str) -> Sample | None:
    """The gallery's picture of that name; None when there is none."""
    return next((each for each in gallery() if each.name == name), None)


def name_of(image: Image) -> str:
    """The gallery's name of a picture that came from it; "" for any other."""
    if image.path is None:
        return image.name if image.name in dict(_SCENES) else ""
    folder = _photo_folder()
    names = {file: name for name, _, file, _ in _PHOTOS}
    return names.get(image.path.name, "") if image.path.parent == folder else ""
