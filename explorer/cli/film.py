"""`explorer render VIEW FILM -o out.mp4`: every frame of a film through a view, without Qt."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.cli.arguments import files_of_settings, loaded, network_files, settings, spec_of
from explorer.cli.console import Progress, complain, say
from explorer.cli.outputs import outputs
from explorer.cli.paths import existing, is_folder, local
from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.reading import display_name
from explorer.core.storage.guard import check_outputs
from explorer.core.storage.written import remember
from explorer.live.opening import is_film
from explorer.live.timing import timed
from explorer.live.video import MOSTLY, Film

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from explorer.core.layers import UInt8
    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.engine.answer import Answer
    from explorer.engine.engine import Engine
    from explorer.engine.finish import FinishedAnswer
    from explorer.engine.view import View
    from explorer.live.slot import Shot
    from explorer.saving.film_pieces import Pieces

PIECE_FRAMES = 24
"""At most this many results are lost by an interruption."""

LINES = ".jsonl"
_WRITTEN = frozenset({".mp4", ".gif"})


def add_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--start", type=float, default=0.0, metavar="S",
        help="begin at this time in the film, in seconds",
    )  # fmt: skip
    group.add_argument(
        "--end", type=float, default=0.0, metavar="S",
        help="end at this time in the film, in seconds",
    )  # fmt: skip
    group.add_argument(
        "--beside", metavar="VIEW", action="append", default=[],
        help="another view to show beside it, with its default parameters; may be repeated",
    )  # fmt: skip
    group.add_argument(
        "--again", action="store_true", help="start over even if an unfinished film exists"
    )


def wanted(args: argparse.Namespace) -> bool:
    """True when films are named. A GIF is one where a film or lines are to be written."""
    if not args.images:
        return False
    if any(is_film(word) for word in args.images):
        return True
    written = {Path(word).suffix.lower() for word in (args.out, args.data) if word}
    gifs = all(Path(word).suffix.lower() == ".gif" for word in args.images)
    return gifs and bool(written & {*_WRITTEN, LINES})


def run(args: argparse.Namespace) -> int:
    """Render films; 0 = everything written, 2 = at least one failed, 130 = interrupted."""
    paths = _check(args)
    from explorer import views  # torch comes with them: what can be checked before has been checked
    from explorer.engine.engine import Engine
    from explorer.engine.question import params_of

    view = views.find(args.view)
    if not view.live:
        raise ExplorerError(
            f"{view.title} does not support films.", "Choose another view, or give it a photo."
        )
    beside = _beside(args.beside)
    texts = settings(args.settings, view)
    stems = [path.stem for path in paths]
    films = outputs(args.out, stems, ".mp4") if args.out else [None] * len(paths)
    lines = outputs(args.data, stems, LINES) if args.data else [None] * len(paths)
    check_outputs(
        [*films, *lines], [*paths, *network_files(args), *files_of_settings(texts, view)],
        overwrite=args.overwrite,
    )  # fmt: skip
    engine, progress = Engine(), Progress()
    spec = spec_of(args, view)
    info = loaded(engine, spec, view, progress)
    job = _Job(args, engine, view, spec, info, params_of(view, texts, info), progress, beside)
    failed = False
    try:
        for path, film, data in zip(paths, films, lines, strict=True):
            try:
                job.render(path, film, data)
            except ExplorerError as error:
                progress.clear()
                complain(error)
                failed = True
    except _Interrupted as interrupted:
        progress.clear()
        complain(interrupted.words)
        return 130
    finally:
        progress.clear()
    return 2 if failed else 0


def _beside(names: list[str]) -> tuple[tuple[View[Any, Any], Any], ...]:
    """The views beside the main one, with their parameters."""
    from explorer import views

    found = [views.find(name) for name in names]
    for view in found:
        if not view.live:
            raise ExplorerError(
                f"{view.title} does not support films.", "Leave it out of --beside."
            )
    return tuple((view, view.Params()) for view in found)


def _check(args: argparse.Namespace) -> list[Path]:
    from explorer.saving.export import film_suffix

    paths = [existing(word, "IMAGE") for word in args.images]
    for path in paths:
        if not (is_film(path) or path.suffix.lower() == ".gif"):
            raise ExplorerError(
                "Films and photos cannot be rendered in one run.",
                "Render them one after the other.",
            )
    if args.boxes or args.masks or args.film or args.truth:
        raise ExplorerError(
            "--boxes, --masks, --film and --truth do not apply to films.",
            "Use -o out.mp4 and --data out.jsonl.",
        )
    for option, word in (("-o", args.out), ("--data", args.data)):
        if word is not None:
            local(word, option)
    if not (args.out or args.data):
        raise ExplorerError("Nothing would be written.", "Give -o out.mp4 or --data out.jsonl.")
    if args.out and not is_folder(args.out):
        film_suffix(args.out)
    if args.data and not is_folder(args.data) and Path(args.data).suffix.lower() != LINES:
        raise ExplorerError(
            f"{args.data} cannot hold the data of a film.", f"Give it a name that ends in {LINES}."
        )
    if args.start < 0 or (args.end and args.end <= args.start):
        raise ExplorerError(
            "--start and --end do not fit together.",
            "They are in seconds, and --end must be after --start.",
        )
    return paths


class _Interrupted(Exception):
    """Ctrl-C: `words` say what is left of the work."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True, slots=True)
class _Take:
    """A film that is read: what it is called, where it goes, how many frames are to come."""

    film: Film
    out: Path
    first: Shot
    coming: Iterator[tuple[Shot, int]]
    rate: float
    total: int


class _Job:
    """Everything that stays the same from film to film."""

    def __init__(
        self,
        args: argparse.Namespace,
        engine: Engine,
        view: View[Any, Any],
        spec: NetworkSpec | None,
        info: NetworkInfo | None,
        params: Any,
        progress: Progress,
        beside: tuple[tuple[View[Any, Any], Any], ...],
    ) -> None:
        self._args, self._engine, self._view, self._spec = args, engine, view, spec
        self._beside = beside
        self._info, self._params, self._progress = info, params, progress

    def render(self, path: Path, out: Path | None, lines: Path | None) -> None:
        """Writes the film, the lines, or both.

        Raises:
            ExplorerError: It cannot be read or written; nothing is left under the final names.
            _Interrupted: By Ctrl-C.
        """
        film = Film(path)
        try:
            take = self._opened(film, out or lines or path)
            pieces = self._pieces(take, out, lines)
            try:
                self._run(take, pieces)
            except KeyboardInterrupt:
                kept = pieces.record.frames
                raise _Interrupted(_stopped(take, kept)) from None
            finally:
                pieces.abandon()
        finally:
            film.close()

    def _opened(self, film: Film, out: Path) -> _Take:
        args = self._args
        film.open()
        if out.suffix.lower() == ".gif":
            _check_gif(film, args)
        rate = args.fps or film.rate
        coming = timed(film, rate, args.start, args.end)
        first = next(coming, None)
        if first is None:
            raise ExplorerError(
                f"{display_name(film.path)} has no frame between --start and --end.",
                f"It lasts {film.duration:.1f} seconds.",
            )
        seconds = min(args.end or film.duration, film.duration) - args.start
        total = round(seconds * film.rate) if args.start or args.end else film.frames
        return _Take(film, out, first[0], _chained(first, coming), rate, max(0, total))

    def _pieces(self, take: _Take, out: Path | None, lines: Path | None) -> Pieces:
        from explorer.saving.film_pieces import Pieces

        args = self._args
        request = {**self._request(take.film.path), "film": out is not None, "data": bool(lines)}
        pieces = Pieces(out, lines, take.rate, request, again=args.again)
        if pieces.changed:
            complain(
                f"{take.out}: options differ from the unfinished file "
                f"({', '.join(pieces.changed)}): starting over."
            )
        elif pieces.record.frames and pieces.memory is None:
            complain(f"{take.out}: the state of {self._view.title} was not saved: starting over.")
            pieces.abandon()
            pieces = Pieces(out, lines, take.rate, request, again=True)
        elif pieces.record.frames:
            complain(f"{take.out}: resuming after frame {pieces.record.frames:,}.")
        return pieces

    def _request(self, path: Path) -> dict[str, Any]:
        """What has to be equal for a film to be resumed."""
        from explorer import __version__
        from explorer.core.param_forms import params_json

        args, info, spec = self._args, self._info, self._spec
        weights = Path(spec.weights) if spec is not None and spec.weights else None
        network = None
        if spec is not None and info is not None:
            network = [spec.name, spec.weights, spec.classes, info.state, info.device, info.dtype]
        return {
            "program": __version__,
            "view": self._view.name,
            "parameters": params_json(self._params),
            "network": network,
            "checkpoint": _stamp(weights) if weights and os.path.isfile(weights) else None,
            "source": [str(path.resolve()), *_stamp(path)],
            "seed": args.seed,
            "range": [args.start, args.end],
            "size": [args.width, args.pane],
            "beside": args.beside,
        }

    def _run(self, take: _Take, pieces: Pieces) -> None:
        from explorer.core.runner import Token
        from explorer.engine.answer import Ask
        from explorer.engine.question import placed_inside
        from explorer.images.image import from_array
        from explorer.live.memory import frozen, thawed

        begun = pieces.record.frames
        memory = thawed(pieces.memory) if pieces.memory is not None else {}
        times = 1

        def shots() -> Iterator[Shot]:
            nonlocal times
            for shot, times in take.coming:  # noqa: B007 - read where the answer comes
                if shot.number >= begun:
                    yield shot

        name = display_name(take.film.path)
        image = replace(from_array(take.first.pixels, name), path=take.film.path)
        params, moved = placed_inside(self._params, image.width, image.height)
        for note in moved:
            complain(f"{name}: {note}")
        ask = Ask(self._view, self._spec, image, params, self._args.seed, self._beside)
        steps = self._engine.film(ask, shots(), Token(), memory)
        clock, done, last = _Clock(), begun, 0.0
        try:
            for step in steps:
                answer = step.value
                if answer.shot is None:
                    continue
                self._add(answer, pieces, times)
                done, last = answer.shot.number + 1, answer.shot.position
                if done % PIECE_FRAMES == 0:
                    pieces.commit(done, frozen(memory))
                self._progress.show(name, done, take.total, clock.words(done, take.total))
        finally:
            steps.close()
        if done > pieces.record.frames:
            pieces.commit(done, frozen(memory))
        written = pieces.written
        pieces.finish()
        self._tell(take, pieces, done, written, last)

    def _add(self, answer: Answer, pieces: Pieces, times: int) -> None:
        from explorer.engine.finish import FinishedAnswer
        from explorer.saving.lines import frame_line

        if answer.result is None or answer.shot is None:
            raise ExplorerError(
                f"{self._view.title} gave no result for a frame.", "Choose another network or film."
            )
        finished = FinishedAnswer(answer)
        if pieces.film is not None and times:
            pieces.add(self._frame(finished), times)
        if pieces.lines is not None:
            shot = answer.shot
            names = (self._view.name, self._info.spec.name if self._info is not None else "")
            pieces.line(frame_line(shot.number, shot.position, *names, finished.data))

    def _frame(self, finished: FinishedAnswer) -> UInt8:
        from explorer.live.recording.painting import rendered_whole
        from explorer.render.board import render_pane

        if self._beside and self._args.pane is None:
            return rendered_whole(finished.board, self._args.width or 0)
        pane = finished.pane(self._args.pane)
        scale = self._args.width / pane.size[0] if self._args.width else 1.0
        return render_pane(pane, scale=scale, density=max(1.0, scale * max(pane.size) / 1080))

    def _tell(self, take: _Take, pieces: Pieces, done: int, written: int, last: float) -> None:
        self._progress.clear()
        less = done < MOSTLY * take.total and not (self._args.start or self._args.end)
        lost = ""
        if less and not take.film.whole_until(last):
            lost = (
                f"; {take.total:,} are declared in the file: the film may be damaged or truncated"
            )
        for path in (pieces.film, pieces.lines):
            if path is not None:
                remember(path)
        if pieces.film is not None:
            say(f"{pieces.film}: {quantity(written, 'frame')}, {written / take.rate:.1f} s{lost}")
        if pieces.lines is not None:
            say(f"{pieces.lines}: {quantity(done, 'line')}{lost if pieces.film is None else ''}")


class _Clock:
    """How fast frames are done, over the last few seconds."""

    def __init__(self) -> None:
        self._times: deque[float] = deque([time.perf_counter()], maxlen=60)

    def words(self, done: int, total: int) -> str:
        self._times.append(time.perf_counter())
        rate = (len(self._times) - 1) / max(1e-9, self._times[-1] - self._times[0])
        if total <= done:
            return f"{rate:.1f} frames/s"
        minutes, seconds = divmod(round((total - done) / rate), 60)
        return f"{rate:.1f} frames/s, {minutes}:{seconds:02d} left"


def _stopped(take: _Take, kept: int) -> str:
    if not kept:
        return f"interrupted: nothing of {take.out} was kept."
    of = f" of {take.total:,}" if take.total >= kept else ""
    return (
        f"interrupted: {kept:,}{of} frames of {take.out} are kept; "
        "the same command resumes from there."
    )


def _chained(
    first: tuple[Shot, int], coming: Iterator[tuple[Shot, int]]
) -> Iterator[tuple[Shot, int]]:
    yield first
    yield from coming


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _check_gif(film: Film, args: argparse.Namespace) -> None:
    from explorer.saving.film import MOST_FRAMES

    seconds = min(args.end or film.duration, film.duration) - args.start
    most = MOST_FRAMES[".gif"]
    if seconds * (args.fps or film.rate) > most:
        raise ExplorerError(
            f"A GIF holds at most {most:,} frames.", "Give --start and --end, or write an .mp4."
        )
