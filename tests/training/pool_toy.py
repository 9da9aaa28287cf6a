"""A folder of photos in COCO's form: bright boxes on gray, a color for every category."""

import json

import cv2
import numpy as np

COLORS = {1: (255, 40, 40), 3: (40, 255, 40), 9: (60, 60, 255)}


def write_pool(folder, count=6, size=(60, 80), *, masks=False, joints=False, **image):
    """`count` photos of (H, W) `size`, each with a "person" and a "car" and one unsure "boat".

    With `masks`, pixels of a person are 15 and of a car 7, as in Pascal VOC's masks. With `joints`,
    a person's nose is at the upper left corner, the left shoulder at the upper right one, the right
    one in the middle.
    """
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(count):
        pixels, mask = np.full((*size, 3), 90, np.uint8), np.zeros(size, np.uint8)
        for category, score in ((1, 1.0), (3, 0.7), (9, 0.3)):
            x, y = (int(rng.integers(2, side // 2)) for side in (size[1], size[0]))
            width, height = size[1] // 3, size[0] // 3
            pixels[y : y + height, x : x + width] = COLORS[category]
            mask[y : y + height, x : x + width] = {1: 15, 3: 7, 9: 255}[category]
            annotations.append({
                "id": len(annotations), "image_id": number, "category_id": category,
                "bbox": [x, y, width, height], "score": score, "iscrowd": 0,
            })  # fmt: skip
            if joints and category == 1:
                places = np.zeros((17, 3))
                places[0], places[5] = (x, y, 2), (x + width - 1, y, 2)
                places[6] = x + width / 2, y + height / 2, 1
                annotations[-1]["keypoints"] = places.ravel().tolist()
        name = f"{number}.png"
        cv2.imwrite(str(folder / "images" / name), pixels[..., ::-1])
        if masks:
            cv2.imwrite(str(folder / "masks" / name), mask)
        images.append(
            {"id": number, "file_name": name, "height": size[0], "width": size[1], **image}
        )
    names = {1: "person", 3: "car", 9: "boat"}
    content = {
        "categories": [{"id": number, "name": name} for number, name in names.items()],
        "images": images,
        "annotations": annotations,
    }
    (folder / "instances.json").write_text(json.dumps(content))
    return folder
