"""Tracks: the filter against plain matrices, and small stories with answers known beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from explorer.vision.detection.detections import Detections
from explorer.vision.tracking.tracks import (
    FIRST_SPEED,
    LONGEST_GAP,
    MEASURED,
    SHAKEN,
    Motion,
    Settings,
    Tracks,
    centered,
    matched,
)

Found = tuple[float, float, float, float, int, float]
"""x0, y0, x1, y1, label, score."""


def seen(*boxes: Found) -> Detections:
    table = np.array(boxes, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32), table[:, 4].astype(np.int64),
        table[:, 5].astype(np.float32),
    )  # fmt: skip


def box(x: float, y: float = 50, label: int = 1, score: float = 0.9, side: float = 20) -> Found:
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2, label, score)


def story(
    frames: Sequence[tuple[float, Sequence[Found]]], settings: Settings | None = None
) -> list[Tracks]:
    steps = [Tracks.none()]
    for seconds, boxes in frames:
        steps.append(steps[-1].after(seen(*boxes), seconds, settings or Settings()))
    return steps[1:]


def numbers(tracks: Tracks) -> list[int]:
    return tracks.numbers.tolist()


# -- the filter --------------------------------------------------------------------------------


class Plain:
    """The same filter of one box as (8,) and (8, 8) matrices: Welch and Bishop 2006, figure 4-2."""

    def __init__(self, place: np.ndarray) -> None:
        side = place[[2, 3, 2, 3]]
        self.x = np.concatenate([place, np.zeros(4)])
        self.p = np.diag(np.concatenate([(MEASURED * side) ** 2, (FIRST_SPEED * side) ** 2]))

    def predict(self, dt: float) -> None:
        f = np.eye(8)
        f[:4, 4:] = dt * np.eye(4)
        q = np.diag((SHAKEN * self.x[[2, 3, 2, 3]]) ** 2)
        noise = np.block([[q * dt**3 / 3, q * dt**2 / 2], [q * dt**2 / 2, q * dt]])
        self.x = f @ self.x
        self.p = f @ self.p @ f.T + noise

    def update(self, z: np.ndarray) -> None:
        h = np.eye(4, 8)
        r = np.diag((MEASURED * self.x[[2, 3, 2, 3]]) ** 2)
        gain = self.p @ h.T @ np.linalg.inv(h @ self.p @ h.T + r)
        self.x = self.x + gain @ (z - h @ self.x)
        self.p = (np.eye(8) - gain @ h) @ self.p


def test_the_filter_is_the_textbooks() -> None:
    rng = np.random.default_rng(0)
    place = np.array([[100.0, 80, 40, 90], [300, 200, 150, 60], [20, 30, 12, 11]])
    motion, plain = Motion.first(place), [Plain(row) for row in place]
    for dt in (0.04, 0.04, 0.31, 0.0, 0.08):
        motion = motion.after(dt)
        measured = motion.place + rng.normal(0, 2, (3, 4))
        rows = np.array([0, 2])  # the second one is lost all the time
        motion = motion.seen(rows, measured[rows])
        for row, one in enumerate(plain):
            one.predict(dt)
            if row in rows:
                one.update(measured[row])
    for row, one in enumerate(plain):
        np.testing.assert_allclose(motion.place[row], one.x[:4], rtol=1e-12)
        np.testing.assert_allclose(motion.speed[row], one.x[4:], rtol=1e-9, atol=1e-9)
        where, both, fast = motion.spread[:, row]
        np.testing.assert_allclose(np.diag(where), one.p[:4, :4], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(np.diag(both), one.p[:4, 4:], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(np.diag(fast), one.p[4:, 4:], rtol=1e-9, atol=1e-12)


def test_left_out_frames_change_nothing_in_a_prediction() -> None:
    motion = Motion.first(np.array([[50.0, 60, 20, 40]])).after(0.1)
    motion = motion.seen(np.array([0]), np.array([[58.0, 60, 20, 40]]))
    motion = Motion(motion.place, motion.speed * [1, 1, 0, 0], motion.spread)
    once, twice = motion.after(0.2), motion.after(0.15).after(0.05)
    np.testing.assert_allclose(once.place, twice.place)
    np.testing.assert_allclose(once.spread, twice.spread)


def test_a_steady_walk_is_learned() -> None:
    tracks = story([(t / 10, [box(50 + 6 * t)]) for t in range(30)])[-1]
    np.testing.assert_allclose(tracks.motion.speed[0], [60, 0, 0, 0], atol=1.0)
    np.testing.assert_allclose(tracks.motion.place[0], [224, 50, 20, 20], atol=0.5)
    np.testing.assert_allclose(tracks.motion.xyxy[0], [214, 40, 234, 60], atol=0.5)


def test_a_box_that_shrinks_while_it_is_lost_keeps_a_side() -> None:
    motion = Motion.first(np.array([[50.0, 60, 20, 40]]))
    motion = Motion(motion.place, np.array([[0.0, 0, -100, -100]]), motion.spread).after(1.0)
    assert motion.place[0].tolist() == [50, 60, 1, 1]


# -- who is who --------------------------------------------------------------------------------


def test_the_best_sum_of_overlaps_is_found() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        first, second = (rng.uniform(0, 60, (n, 2)).astype(np.float32) for n in (4, 5))
        first, second = (np.concatenate([low, low + 40], axis=1) for low in (first, second))
        rows, columns = matched(first, second, 0.0)

        def overlap(one: np.ndarray, other: np.ndarray) -> float:
            shared = np.prod(
                (np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])).clip(0)
            )
            return float(shared / (3200 - shared))

        best = max(
            sum(overlap(a, second[k]) for a, k in zip(first, order, strict=True))
            for order in itertools.permutations(range(5), 4)
        )
        ours = sum(overlap(first[r], second[c]) for r, c in zip(rows, columns, strict=True))
        assert ours == pytest.approx(best, rel=1e-5)


def test_the_gate_and_the_classes() -> None:
    first = np.array([[0, 0, 10, 10], [100, 0, 110, 10]], np.float32)
    second = np.array([[5, 0, 15, 10], [100, 0, 110, 10], [500, 0, 510, 10]], np.float32)
    for gate, expected in ((0.0, [(0, 0), (1, 1)]), (1 / 3 + 1e-4, [(1, 1)]), (1.0, [(1, 1)])):
        assert list(zip(*matched(first, second, gate), strict=True)) == expected
    allowed = np.array([[True, True, True], [True, False, True]])
    assert list(zip(*matched(first, second, 0.1, allowed), strict=True)) == [(0, 0)]
    nothing = np.zeros((0, 4), np.float32)
    assert [len(side) for side in matched(nothing, second, 0.1)] == [0, 0]
    assert [len(side) for side in matched(first, nothing, 0.1)] == [0, 0]


def test_two_that_cross_keep_their_numbers() -> None:
    frames = [(t / 10, [box(40 + 8 * t, 50), box(200 - 8 * t, 58)]) for t in range(21)]
    for order in (1, -1):  # whatever the detector's order is
        steps = story([(t, boxes[:: order if k % 2 else 1]) for k, (t, boxes) in enumerate(frames)])
        for tracks in steps[2:]:
            assert sorted(numbers(tracks)) == [1, 2]
        last = steps[-1].motion.place[np.argsort(steps[-1].numbers), 0]
        first = steps[2].motion.place[np.argsort(steps[2].numbers), 0]
        assert (first[0] < first[1]) == (last[0] > last[1]), "they have changed places"


def test_a_number_comes_after_enough_hits_in_a_row() -> None:
    steps = story([(0.0, [box(50)]), (0.1, [box(50)]), (0.2, [box(50)])])
    assert [numbers(tracks) for tracks in steps] == [[0], [0], [1]]
    steps = story([(0.0, [box(50)]), (0.1, []), (0.2, [box(50)]), (0.3, [box(50)])])
    assert [numbers(tracks) for tracks in steps] == [[0], [], [0], [0]]
    assert numbers(story([(0.0, [box(50)])], Settings(hits=1))[0]) == [1]


def test_who_is_lost_for_a_while_is_the_same_and_later_another() -> None:
    walk = [(t / 10, [box(50 + 5 * t)]) for t in range(10)]
    back = story([*walk, (1.2, []), (1.5, [box(50 + 5 * 15)])])
    assert [numbers(tracks) for tracks in back[-3:]] == [[1], [1], [1]]
    assert back[-2].seen.tolist() == [False]
    assert back[-2].motion.place[0, 0] == pytest.approx(110, abs=1), "it is predicted"
    late = story([*walk, (1.2, []), (2.0, []), *((2.1 + t, [box(125)]) for t in (0, 0.1, 0.2))])
    assert [numbers(tracks) for tracks in late[-5:]] == [[1], [], [0], [0], [2]]
    assert late[-1].count == 2


def test_a_slow_stream_keeps_its_tracks_and_a_long_silence_ends_them() -> None:
    settings = Settings(keep=0.2)
    slow = story([(t * 1.0, [box(50)]) for t in range(5)], settings)
    assert [numbers(tracks) for tracks in slow[2:]] == [[1]] * 3
    cut = slow[-1].after(seen(box(50)), 4.0 + LONGEST_GAP + 0.1, settings)
    assert numbers(cut) == [0]
    assert cut.count == 1, "its number is not used again"
    with pytest.raises(ValueError, match="forward in time"):
        cut.after(seen(), 1.0, settings)


def test_a_class_is_followed_by_itself_unless_told_otherwise() -> None:
    frames = [(0.0, [box(50, score=0.5)]), (0.1, [box(50, label=2, score=0.8)])]
    apart = story(frames, Settings(hits=1))[-1]
    assert (numbers(apart), apart.labels.tolist()) == ([1, 2], [1, 2])
    frames.append((0.2, [box(50, label=3, score=0.6)]))
    one = story(frames, Settings(hits=1, agnostic=True))[-1]
    assert (numbers(one), one.labels.tolist()) == ([1], [2]), "the highest-scoring says what it is"
    np.testing.assert_allclose((one.scores[0], one.best[0]), (0.6, 0.8), rtol=1e-6)


def test_a_weak_box_goes_on_with_a_track_but_begins_none() -> None:
    settings = Settings(hits=2, first=0.5)
    frames = [(t / 10, [box(50, score=s), box(150, score=0.4)]) for t, s in enumerate((0.6, 0.3))]
    assert [numbers(tracks) for tracks in story(frames, settings)] == [[0], [1]]


def test_a_strong_box_goes_before_a_weak_one_that_fits_better() -> None:
    settings = Settings(hits=1, first=0.5)
    frames = [(0.0, [box(50)]), (0.1, [box(50, score=0.4), box(54, score=0.8)])]
    last = story(frames, settings)[-1]
    assert numbers(last) == [1], "the weak one is no second object"
    np.testing.assert_allclose(last.scores, [0.8])


def test_trails_are_the_centers_of_the_last_seconds() -> None:
    settings = Settings(hits=2, trail=0.25)
    frames = [(t / 10, [box(50 + t), box(150)][: 2 if t < 3 else 1]) for t in range(6)]
    trail = story(frames, settings)[-1].trail
    # Since 0.25 s: track 2 was seen for the last time at 0.2 s.
    assert trail[:, 0].tolist() == [1, 1, 1]
    np.testing.assert_allclose(trail[:, 1], [0.3, 0.4, 0.5])
    np.testing.assert_allclose(trail[:, 2], [53, 54, 55], atol=0.5)
    earlier = story(frames[:4], settings)[-1].trail
    assert earlier[:, 0].tolist() == [1, 2, 1, 2, 1], "the trail of a lost one stays for a while"


def test_an_old_state_can_go_on_twice() -> None:
    before = story([(t / 10, [box(50 + t)]) for t in range(5)])[-1]
    once, again = (before.after(seen(box(56)), 0.5, Settings()) for _ in range(2))
    np.testing.assert_array_equal(once.motion.place, again.motion.place)
    assert before.seconds == 0.4
    assert len(before.trail) == 3


def test_numbers_of_a_crowd_are_never_used_again() -> None:
    rng = np.random.default_rng(2)
    tracks, given, boxes = Tracks.none(), set(), rng.uniform(0, 500, (40, 2))
    for frame in range(60):
        boxes += rng.normal(0, 2, boxes.shape)
        there = rng.uniform(size=40) < 0.8
        before = dict(zip(tracks.keys.tolist(), numbers(tracks), strict=True))
        found = seen(*(box(x, y) for x, y in boxes[there]))
        tracks = tracks.after(found, frame / 10, Settings(keep=0.2))
        shown = tracks.numbers[tracks.numbered]
        assert len(set(shown.tolist())) == len(shown)
        assert (np.diff(tracks.keys) > 0).all()
        for key, number in zip(tracks.keys.tolist(), numbers(tracks), strict=True):
            if before.get(key, 0):
                assert number == before[key]
            elif number:
                assert number not in given
                given.add(number)
    assert tracks.count == max(given) == len(given)


def test_corners_and_centers() -> None:
    corners = np.array([[10, 20, 30, 60], [5, 5, 5, 5]], np.float32)
    assert centered(corners).tolist() == [[20, 40, 20, 40], [5, 5, 1, 1]]
