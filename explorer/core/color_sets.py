"""The sets of colors for classes, one of which is in use. Plain Python: settings name them."""

from __future__ import annotations

Color = tuple[int, int, int]

_CLASS_COLORS: tuple[Color, ...] = (
    (255, 140, 25), (168, 40, 255), (36, 222, 48), (0, 212, 255), (255, 0, 128), (107, 153, 61),
    (142, 101, 184), (217, 127, 119), (0, 235, 200), (217, 217, 0), (255, 0, 43), (255, 64, 223),
    (64, 96, 255), (255, 217, 140), (22, 217, 103), (25, 159, 255), (153, 107, 15), (38, 153, 124),
    (255, 140, 207), (135, 217, 22), (184, 73, 18), (255, 191, 0), (191, 102, 255), (217, 54, 81),
    (153, 153, 0), (119, 217, 144), (22, 103, 217), (38, 153, 0), (184, 73, 110), (255, 85, 0),
    (255, 166, 102), (184, 73, 184),
)  # fmt: skip


CLASS_SETS: dict[str, tuple[Color, ...]] = {
    "standard": _CLASS_COLORS,
    # Okabe and Ito, "Color universal design", 2008, without black.
    "color_blind": (
        (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0),
        (204, 121, 167),
    ),
    # The corners of the RGB cube and what lies between them: a projector washes all else out.
    "high_contrast": (
        (255, 255, 0), (0, 255, 255), (255, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255),
        (255, 128, 0), (0, 128, 255),
    ),
}  # fmt: skip
COLOR_SETS: tuple[str, ...] = tuple(CLASS_SETS)

_chosen = "standard"


def choose_color_set(name: str) -> None:
    """The colors of classes from now on, in the whole process: chosen by the user, not by a view.

    Raises:
        KeyError: When there is no such set.
    """
    global _chosen
    if name not in CLASS_SETS:
        raise KeyError(name)
    _chosen = name


def chosen_color_set() -> str:
    """The name of the set in use."""
    return _chosen
