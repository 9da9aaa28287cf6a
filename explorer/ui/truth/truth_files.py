"""Ground truth from files, and the offer of what lies beside a photo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from explorer.annotations.truth import truth_name
from explorer.core.runner import State, Update
from explorer.core.step import Step
from explorer.ui.dialogs.notice import Notice

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.ui.board.board import BoardView
    from explorer.ui.form.form import Form
    from explorer.ui.shell.desk import Desk
    from explorer.ui.truth.photo_truth import Truth

READ, LOOK_AROUND = "read-truth", "look-around"
OFFER_SECONDS = 30.0


class TruthFiles(QObject):
    """Carries ground truth between files, the photo and the form.

    Signals:
        save_wanted: The photo's ground truth is to be saved.
    """

    save_wanted = Signal()

    def __init__(self, desk: Desk, form: Form, board: BoardView) -> None:
        super().__init__(desk.main)
        self._desk, self._form = desk, form
        self._folder = ""
        self._offered: set[Path] = set()
        self._accepted: set[Path] = set()  # whose photos get their boxes without asking again
        self._filled: set[str] = set()  # photos that got them so: what is deleted stays deleted
        self._results: dict[Path, Path] = {}  # by the photos' folder: where their boxes are
        self._offer: Notice | None = None
        form.truth_wanted.connect(self._wanted)
        form.truth_chosen.connect(board.choose_truth)
        board.truth_chosen.connect(form.show_truth_chosen)
        desk.study.subject_changed.connect(self._look_around)

    def load(self) -> None:
        """Asks for an annotation file and takes its boxes of this photo."""
        image = self._desk.study.image
        if image is None:
            return
        kinds = f"{self.tr('Annotations')} (*.json *.xml *.txt);;{self.tr('All files')} (*)"
        start = self._folder or (str(image.path.parent) if image.path is not None else "")
        title = self.tr("Load the ground truth of {photo}").format(photo=image.name)
        path, _ = QFileDialog.getOpenFileName(self._desk.main, title, start, kinds)
        if path:
            self._folder = str(Path(path).parent)
            self.read(path)

    def read(self, path: str) -> None:
        """Reads an annotation file on a worker; its boxes take the place of the photo's."""
        image = self._desk.study.image
        if image is None:
            return

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.annotations.files import read_for

            boxes, notes = read_for(path, image.path or image.name, (image.width, image.height))
            yield Step((image.key, boxes, notes))

        self._desk.bridge.fetch(READ, lambda _: job(), self._read)

    def put(self, boxes: Truth) -> None:
        """Gives the photo its boxes; in a view that takes them this can be undone."""
        study = self._desk.study
        name = truth_name(type(study.params))
        if name:
            self._form.set_value(name, boxes)
        elif study.image is not None:
            study.photo_truth.put(study.image.key, boxes)
            titles = ", ".join(view.title for view in self._views())
            self._desk.notices.say(
                self.tr(
                    "{n} boxes are stored for this photo. Views that use them: {views}."
                ).format(n=len(boxes), views=titles or "–")
            )
        self._desk.refresh()

    def accept(self, photo: str) -> None:
        """What is annotated beside this photo is taken without a question: it was evaluated on."""
        folder = Path(photo).parent
        self._offered.add(folder)
        self._accepted.add(folder)

    def follow(self, results: str, photos: str) -> None:
        """Takes the boxes in one folder as ground truth of the photos below another.

        A photo gets them as soon as it is shown, unless it has ground truth.
        """
        self._results[Path(photos)] = Path(results)
        words = self.tr("The boxes in {results} are the ground truth of the photos in {folder}.")
        self._desk.notices.say(words.format(results=Path(results).name, folder=Path(photos).name))
        self._look_around()

    # -- inside -----------------------------------------------------------------------------------

    def _wanted(self, what: str) -> None:
        if what == "load":
            self.load()
        else:
            self.save_wanted.emit()

    def _views(self) -> list[Any]:
        return [view for view in self._desk.study.views.values() if truth_name(view.Params)]

    def _look_around(self) -> None:
        """Searches for annotations beside a photo: offered once per folder, taken once accepted."""
        study = self._desk.study
        image, view = study.image, study.view
        self._withdraw()
        if image is None or image.path is None or view is None or study.truth or not self._views():
            return
        path = image.path
        uses, filled = bool(truth_name(view.Params)), image.key in self._filled
        results = self._results_for(path)
        if results is None and path.parent in self._offered:
            if path.parent not in self._accepted or filled or not uses:
                return
        elif results is not None and (filled or not uses):
            return

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.annotations.around import around, found_in

            size = (image.width, image.height)
            found = around(path, size) if results is None else found_in(results, path, size)
            yield Step((image.key, found))

        self._desk.bridge.fetch(LOOK_AROUND, lambda _: job(), self._looked_around)

    def _read(self, update: Update) -> None:
        failure = update.failure
        if failure is not None:
            words = f"{failure.message} {failure.hint}".strip()
            self._desk.notices.say(words, "error", details=failure.details, seconds=12)
        elif update.state is State.DONE and self._is_shown(update.value[0]):
            self._withdraw()
            self._take(*update.value[1:])

    def _looked_around(self, update: Update) -> None:
        # It was only a guess: what cannot be read is skipped in silence.
        if update.state is not State.DONE or not self._is_shown(update.value[0]):
            return
        found, study = update.value[1], self._desk.study
        if found is None or study.truth or study.image is None or study.image.path is None:
            return
        folder = study.image.path.parent
        if folder in self._accepted or self._results_for(study.image.path) is not None:
            self._filled.add(study.image.key)
            self._take(found.boxes, found.notes)
        else:
            self._offered.add(folder)
            self._show_offer(found.boxes, found.notes, found.path, folder)

    def _results_for(self, photo: Path) -> Path | None:
        """The folder of the boxes that were chosen for a photo."""
        places = (self._results.get(folder) for folder in photo.parents)
        return next((place for place in places if place is not None), None)

    def _is_shown(self, key: str) -> bool:
        image = self._desk.study.image  # another photo may be shown by now
        return image is not None and image.key == key

    def _take(self, boxes: Truth, notes: tuple[str, ...]) -> None:
        self.put(boxes)
        if not boxes:
            notes = (*notes, self.tr("The file has no boxes for this photo."))
        for note in notes:
            self._desk.notices.say(note, "warning")

    def _show_offer(self, boxes: Truth, notes: tuple[str, ...], path: Path, folder: Path) -> None:
        def load() -> None:
            self._accepted.add(folder)
            if self._desk.study.image is not None:
                self._filled.add(self._desk.study.image.key)
            self._take(boxes, notes)

        words = self.tr("This photo has {n} annotated boxes in {file}.")
        if len(boxes) == 1:
            words = self.tr("This photo has {n} annotated box in {file}.")
        self._offer = Notice(
            words.format(n=len(boxes), file=path.name),
            actions=((self.tr("Load them"), load),),
            seconds=OFFER_SECONDS,
        )
        self._desk.notices.show_notice(self._offer)

    def _withdraw(self) -> None:
        offer, self._offer = self._offer, None
        if offer is not None:
            self._desk.notices.withdraw(offer)
