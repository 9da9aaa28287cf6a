"""Parameters and choices that the last release called otherwise; understood for one more release.

Wherever values come in by name: the command line, the Python door, session files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explorer.core.listing import renamed

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = {
    "anchor_sandbox": {"paint": "color_by"},
    "detections": {"colour_by": "color_by", "mask_level": "mask_threshold"},
    "evaluation": {"shares": "normalize"},
    "feedback_dream": {"stay": "feedback", "rounds": "iterations"},
    "lineage": {"victims": "suppressed", "prior": "anchor"},
    "nms": {"fallen": "suppressed", "within": "per_class", "limit": "max_match"},
    "pipeline_race": {"keep": "cache", "single_shot": "single_stage"},
    "recall_lab": {"look": "measure"},
    "roi_microscope": {"reach": "plot_range"},
    "rpn": {"look": "show"},
    "selective_search": {"colour": "color", "paint": "color_by", "shuffled": "randomized"},
    "semantic": {"sure": "min_probability", "heat": "probability_of", "coarser": "fcn_stages"},
    "tracks": {
        "weak": "low_score", "keep": "max_gap", "gate": "min_iou", "hits": "min_hits",
        "agnostic": "class_agnostic",
    },
}  # fmt: skip
"""By view: the old name of a parameter and today's."""

_SELECTIVE_SEARCH = {
    "SS quality": "selective search (quality)",
    "SS single": "selective search (single)",
}

CHOICES = {
    ("nms", "source"): {"my boxes": "drawn boxes"},
    ("anchor_sandbox", "anchors"): {"made here": "generated"},
    ("anchor_sandbox", "ratios"): {"1:1, 1:r, r:1 and halfway": "1:1, 1:r, r:1 and in between"},
    ("pipeline_race", "proposer"): _SELECTIVE_SEARCH,
    ("proposals", "method"): _SELECTIVE_SEARCH,
    ("recall_lab", "methods"): _SELECTIVE_SEARCH,
    ("recall_lab", "of"): {"the best one": "the best method", **_SELECTIVE_SEARCH},
    ("roi_microscope", "layer"): {"maps of the box head": "feature maps of the box head"},
    ("roi_microscope", "difference"): {
        "RoIAlign - the other RoIAlign": "RoIAlign - RoIAlign, other alignment"
    },
    ("selective_search", "mode"): {"this tree": "this hierarchy"},
    ("selective_search", "color_by"): {"mean colour": "mean color", "own colour": "random color"},
    ("selective_search", "shown"): {"the best": "top-ranked"},
}
"""By view and today's name of a parameter: the old word for a choice and today's."""

JOINED = {"tracks": {"line": ("line_from", "line_to")}}
"""By view: a list of points and the parameters that held its points one by one."""


def in_todays_words(view: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` by the names of today of the view's parameters, with the choices of today.

    Args:
        view: The name of the view.
        values: As text, as Python has them, or as JSON; what is not known stays as it is.
    """
    names = NAMES.get(view, {})
    found = {renamed(name, names): value for name, value in values.items()}
    for name, parts in JOINED.get(view, {}).items():
        if any(part in found for part in parts):
            points = [found.pop(part, None) for part in parts]
            renamed(parts[0], {parts[0]: name})
            if name not in found and all(point not in (None, "", "none") for point in points):
                text = all(isinstance(point, str) for point in points)
                found[name] = ";".join(points) if text else points
    return {name: _choice(view, name, value) for name, value in found.items()}


def _choice(view: str, name: str, value: Any) -> Any:
    """`value`, or each entry of a list (also one written with commas), in today's words."""
    choices = CHOICES.get((view, name), {})
    if not choices:
        return value
    if isinstance(value, tuple | list):
        return type(value)(_choice(view, name, entry) for entry in value)
    if not isinstance(value, str):
        return value
    if value not in choices:
        words = [word.strip() for word in value.split(",")]
        known = any(word in choices for word in words)
        return ",".join(_choice(view, name, word) for word in words) if known else value
    renamed(f"{name}={value}", {f"{name}={value}": f"{name}={choices[value]}"})
    return choices[value]
