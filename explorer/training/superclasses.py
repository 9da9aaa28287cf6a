"""About 30 groups of the 200 classes, for detectors: what "a dog" is in WordNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.training.data import Category

NOT_A_THING = ""
"""For landscapes, shops seen from inside, webs …: their box is no object's."""

RULES: dict[str, str] = {
    # animals
    "n02084071": "dog",
    "n02120997": "cat",  # all felines, lions too
    "n02131653": "bear",
    "n02370806": "hoofed animal",
    "n02503127": "elephant",
    "n02469914": "ape or monkey",
    "n01861778": "other mammal",
    "n01503061": "bird",
    "n02512053": "fish",
    "n01661091": "reptile or amphibian",
    "n01627424": "reptile or amphibian",
    "n02159955": "insect",
    "n01905661": "other invertebrate",
    # vehicles
    "n02958343": "car",
    "n04490091": "truck",
    "n02924116": "bus",
    "n04468005": "train",
    "n02959942": "train",
    "n04530566": "boat",
    "n04524313": "other vehicle",
    "n03649909": "other vehicle",  # lawn mower
    # things
    "n02876657": "bottle",
    "n03621049": "kitchenware",
    "n04550840": "kitchenware",
    "n03094503": "container",
    "n03405725": "furniture",
    "n02808440": "furniture",  # bathtub
    "n03051540": "clothing",
    "n03380867": "clothing",
    "n04272054": "clothing",  # sunglasses
    "n02778669": "ball",
    "n04507155": "umbrella",
    "n04399382": "teddy bear",
    "n04341686": "building or structure",
    "n04341414": "building or structure",  # posts
    "n04317420": "building or structure",  # staffs, of flags
    "n04100174": "building or structure",  # poles
    "n02843684": "building or structure",  # birdhouse
    "n04105068": "building or structure",  # roofs
    "n04562935": "building or structure",  # water tower
    # food
    "n07705711": "fruit or vegetable",
    "n12267677": "fruit or vegetable",  # acorn
    "n07711569": "food",  # mashed potato
    "n00021265": "food",
    "n15046900": "food",
    # whatever is left of the artefacts
    "n03250847": "device",  # drumstick, a staff in WordNet
    "n04023962": "device",  # punching bag, a ball in WordNet
    "n00021939": "device",
    # no things
    "n04202417": NOT_A_THING,  # shops
    "n04568557": NOT_A_THING,  # webs
    "n06254669": NOT_A_THING,  # print media
    "n09287968": NOT_A_THING,  # landscapes
}
"""WordNet id -> group. The rule nearest to the class on its way to the root decides."""

COCO = {
    **{name: name for name in ("dog", "cat", "bear", "elephant", "bird", "car", "truck", "bus")},
    **{name: name for name in ("train", "boat", "bottle", "umbrella", "teddy bear")},
    **dict.fromkeys(("horse", "sheep", "cow", "zebra", "giraffe"), "hoofed animal"),
    **dict.fromkeys(("chair", "couch", "bed", "dining table"), "furniture"),
    **dict.fromkeys(("banana", "apple", "orange", "broccoli", "carrot"), "fruit or vegetable"),
    **dict.fromkeys(("sandwich", "hot dog", "pizza", "donut", "cake"), "food"),
    "sports ball": "ball",
}
"""Names of COCO's classes -> group, for those that both know."""


def group_names() -> list[str]:
    """In the order of `RULES`: label 1 is the first one, as label 0 is a detector's background."""
    return [name for name in dict.fromkeys(RULES.values()) if name != NOT_A_THING]


def group_of(category: Category) -> str | None:
    """The group's name, or None when the class is no thing that has a place in a photo."""
    for wnid in reversed(category.ids):
        if wnid in RULES:
            return RULES[wnid] or None
    return None


def group_labels(categories: Sequence[Category]) -> list[int]:
    """For every class its group's label, 1..; 0 for the classes without a group."""
    number = {name: i for i, name in enumerate(group_names(), start=1)}
    return [number[name] if (name := group_of(c)) else 0 for c in categories]
