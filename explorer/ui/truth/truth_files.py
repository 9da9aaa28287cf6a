"""Ground truth from files, and the offer of what lies beside a photo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from explorer.annotations.truth import truth_name
from explorer.core.runner import State, Update
from explorer.core.step import Step
from explorer.ui.dialogs.notice import Notice

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.ui.shell.window import Window
    from explorer.ui.truth.truth import Truth

READ, LOOK_AROUND = "read-truth", "look-around"
OFFER_SECONDS = 30.0


class TruthDesk(QObject):
    """Carries ground truth between files, the photo and the form."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window
        self._folder = ""
        self._offered: set[tuple[str, bool]] = set()
        self._offer: Notice | None = None
        window.inspector.form.truth_wanted.connect(self._wanted)
        window.inspector.form.truth_chosen.connect(window.board.choose_truth)
        window.board.truth_chosen.connect(window.inspector.form.show_truth_chosen)
        window.bridge.updated.connect(self._on_update)
        window.study.subject_changed.connect(self._look_around)

    @property
    def boxes(self) -> Truth:
        """Of the photo that is shown."""
        image = self._window.study.image
        return self._window.study.truths.of(image.key) if image is not None else ()

    def load(self) -> None:
        """Asks for an annotation file and takes its boxes of this photo."""
        image = self._window.study.image
        if image is None:
            return
        kinds = f"{self.tr('Annotations')} (*.json *.xml *.txt);;{self.tr('All files')} (*)"
        start = self._folder or (str(image.path.parent) if image.path is not None else "")
        title = self.tr("Load the ground truth of {photo}").format(photo=image.name)
        path, _ = QFileDialog.getOpenFileName(self._window, title, start, kinds)
        if path:
            self._folder = str(Path(path).parent)
            self.read(path)

    def read(self, path: str) -> None:
        """Reads an annotation file on a worker; its boxes take the place of the photo's."""
        image = self._window.study.image
        if image is None:
            return

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.annotations import read_for

            boxes, notes = read_for(path, image.path or image.name, (image.width, image.height))
            yield Step((image.key, boxes, notes))

        self._window.bridge.fetch(READ, lambda _: job())

    def put(self, boxes: Truth) -> None:
        """Gives the photo its boxes; in a view that takes them this can be undone."""
        study = self._window.study
        name = truth_name(type(study.params))
        if name:
            self._window.inspector.form.set_value(name, boxes)
        elif study.image is not None:
            study.truths.put(study.image.key, boxes)
            titles = ", ".join(view.title for view in self._views())
            self._window.notices.say(
                self.tr("{n} boxes are kept with this photo. They are used by: {views}.").format(
                    n=len(boxes), views=titles or "–"
                )
            )
        self._window.commands.refresh()

    # -- inside -----------------------------------------------------------------------------------

    def _wanted(self, what: str) -> None:
        if what == "load":
            self.load()
        else:
            self._window.exporter.save_truth()

    def _views(self) -> list[Any]:
        return [view for view in self._window.study.views.values() if truth_name(view.Params)]

    def _look_around(self) -> None:
        """Looks for annotations beside a photo: once in views that use them, once per folder."""
        study = self._window.study
        image, view = study.image, study.view
        self._withdraw()
        if image is None or image.path is None or view is None or self.boxes or not self._views():
            return
        uses = bool(truth_name(view.Params))
        what = image.key if uses else str(image.path.parent)
        if (what, uses) in self._offered:
            return
        self._offered.add((what, uses))
        path = image.path

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.annotations.around import around

            yield Step((image.key, around(path, (image.width, image.height))))

        self._window.bridge.fetch(LOOK_AROUND, lambda _: job())

    def _on_update(self, update: Update) -> None:
        if update.key not in (READ, LOOK_AROUND):
            return
        notices, image = self._window.notices, self._window.study.image
        if update.failure is not None:
            failure = update.failure
            details = "" if failure.expected else failure.traceback
            words = f"{failure.message} {failure.hint}".strip()
            if update.key == READ:
                notices.say(words, "error", details=details, seconds=12)
        elif update.state is State.DONE and update.value and image is not None:
            key, *rest = update.value
            if key != image.key:  # another photo is shown by now
                return
            if update.key == READ:
                self._take(*rest)
            elif rest[0] is not None and not self.boxes:
                self._show_offer(rest[0].boxes, rest[0].notes, rest[0].path)

    def _take(self, boxes: Truth, notes: tuple[str, ...]) -> None:
        self.put(boxes)
        if not boxes:
            notes = (*notes, self.tr("The file has no boxes for this photo."))
        for note in notes:
            self._window.notices.say(note, "warning")

    def _show_offer(self, boxes: Truth, notes: tuple[str, ...], path: Path) -> None:
        def load() -> None:
            self._take(boxes, notes)

        words = self.tr("This photo has {n} annotated boxes in {file}.")
        if len(boxes) == 1:
            words = self.tr("This photo has {n} annotated box in {file}.")
        self._offer = Notice(
            words.format(n=len(boxes), file=path.name),
            actions=((self.tr("Load them"), load),),
            seconds=OFFER_SECONDS,
        )
        self._window.notices.show_notice(self._offer)

    def _withdraw(self) -> None:
        offer, self._offer = self._offer, None
        if offer is not None:
            self._window.notices.withdraw(offer)
