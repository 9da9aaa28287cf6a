from dataclasses import replace

import numpy as np
import torch

from explorer.networks.embedded.lite_rcnn import lite_fasterrcnn
from explorer.networks.embedded.yolo import lite_yolo_v2
from explorer.training.data.pool import read_pool
from explorer.training.data.words import Words
from explorer.training.lessons.lite.yolo_v2 import (
    RECIPE,
    LiteYoloV2Task,
    priors_of,
    unboxed,
    with_words,
    yolo_losses,
)
from explorer.training.loop import train
from tests.training.lessons.lite.test_yolo import canvas
from tests.training.pool_toy import write_pool

CPU = torch.device("cpu")
TREE = {"words": ["person", "car", "cab", "van"], "parents": [-1, -1, 1, 1], "labels": [1, 0, 2, 2]}
WORDS = Words(TREE, (0, 1), {7: 2, 8: 3}, ())
KWARGS = {"num_classes": 3, "priors": [[1.0, 1.0]], "width": 8, "fine": 4, **TREE}


def pool_of(folder, **image):
    pool = read_pool(write_pool(folder, count=2, **image), least=1)
    assert pool.names == ("background", "person", "car")
    return pool


def test_objects_have_the_deepest_known_word(tmp_path):
    pool = pool_of(tmp_path / "pool", photo_class=9)
    photos = (pool.photos[0], replace(pool.photos[1], shows=2))
    found = with_words(replace(pool, photos=photos), WORDS, [np.array([-1, 8]), np.array([-1, -1])])
    assert found.names == ("background", "person", "car", "cab", "van")
    assert [photo.labels.tolist() for photo in found.photos] == [[1, 4], [1, 2]]
    assert [photo.shows for photo in found.photos] == [0, 2]


def test_a_class_without_a_sure_box_is_shown(tmp_path):
    assert [p.shows for p in pool_of(tmp_path / "a", photo_class=3).photos] == [0, 0]
    folder = write_pool(tmp_path / "b", count=2, photo_class=9)
    text = (folder / "instances.json").read_text().replace('"score": 0.3', '"score": 0.6', 1)
    (folder / "instances.json").write_text(text)
    assert [p.shows for p in read_pool(folder, least=1).photos] == [0, 3]


def test_priors_are_in_cells(tmp_path):
    # boxes of 26 x 20 pixels in photos of 80 x 60, which are seen 160 pixels wide
    ((width, height),) = priors_of(pool_of(tmp_path / "pool"), side=160, count=1)
    assert (width, height) == (round(64 * 52 / 32) / 64, round(64 * 40 / 32) / 64)


def test_an_unboxed_canvas_has_no_doubts():
    torch.manual_seed(0)
    model = lite_yolo_v2(**KWARGS).eval()
    own = canvas([[0, 0, 80, 40]], [2], size=(64, 96))
    losses = yolo_losses(model, [unboxed(own)], CPU, shown=[(0, 2)])
    assert losses["boxes"] == losses["objectness"] == 0
    assert losses["words"] > 0
    seen = []
    model.body[0].register_forward_pre_hook(lambda _, args: seen.append(tuple(args[0].shape)))
    yolo_losses(model, [own], CPU, times=1.3)
    yolo_losses(model, [own], CPU)
    assert seen == [(1, 3, 96, 128), (1, 3, 64, 96)]


def test_only_what_follows_the_body_learns(tmp_path):
    pool = with_words(pool_of(tmp_path / "pool"), WORDS, [np.array([-1, 7])] * 2)
    pool = replace(pool, photos=(pool.photos[0], replace(pool.photos[1], shows=2)))
    recipe = replace(RECIPE, batch=2, epochs=2)
    task = LiteYoloV2Task(
        pool=pool, kwargs=KWARGS, weights=lite_fasterrcnn(3).state_dict(), recipe=recipe
    )
    assert len(task.shown) == 1
    torch.manual_seed(recipe.seed)
    before = task.build().state_dict()
    after = train(task, recipe, tmp_path / "out", device=CPU, dtype=torch.float32)
    moved = {n for n, v in after.model.state_dict().items() if not torch.equal(before[n], v)}
    assert not any(name.startswith("body.") or name == "priors" for name in moved)
    assert {"predictor.weight", "passthrough.0.weight", "head.0.0.weight"} <= moved
