"""What an ONNX file does not say about itself: asked in one form, with usual values filled in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.dialogs.overlay import Overlay
from explorer.ui.form.choices import Combo
from explorer.ui.opening.input_preview import InputPreview
from explorer.ui.widgets.field import Field
from explorer.ui.widgets.scrolled import scrolled
from explorer.ui.widgets.small_widgets import UNIT, Label

if TYPE_CHECKING:
    from explorer.networks.onnx.answers import Answers, Names, Prepared, Questions, Use

MOST_SIDE = 4096
SHOWN_NAMES = 8
FILLS = 1000
"""Of the part that takes all room there is."""

SQUARE, SHAPED, WHOLE, KEPT = ("crop", "tight"), ("short", "whole"), "whole", "kept"
"""Ways to the size as `explorer.networks.onnx.answers` has them."""

OWN = "own"


class OnnxSheet(Overlay):
    """A sheet over the window.

    Args:
        window: What it covers.
        questions: What is asked, with what is proposed.
        again: It was answered before.

    Signals:
        accepted: The `Answers`.
        changed: The `Answers` of the moment: the preview is to follow.
        names_wanted: A `Use`: a list of names for it is to be chosen.
    """

    accepted = Signal(object)
    changed = Signal(object)
    names_wanted = Signal(object)

    def __init__(self, window: QWidget, questions: Questions, *, again: bool = False) -> None:
        super().__init__(window, QSize(UNIT * 104, UNIT * 72))
        self._questions, self._filling = questions, True
        self._own_names: list[Names] = []
        self._lists: list[Names] = []
        self._make_editors()
        self.preview = InputPreview()
        self.preview.hide()
        self.remark = Label()
        self.remark.hide()
        self.use_button = QPushButton(self.tr("Apply") if again else self.tr("Use this network"))
        self.use_button.clicked.connect(self._accept)
        middle = QWidget()
        line = QHBoxLayout(middle)
        line.setContentsMargins(0, 0, UNIT, 0)
        line.setSpacing(UNIT * 3)
        line.addLayout(self._grid(), 1)
        line.addWidget(self.preview, 0, Qt.AlignmentFlag.AlignTop)
        area = scrolled(middle)
        head = [Label(questions.facts, quiet=True, factor=0.92)]
        if questions.unclear and not again:
            head.append(Label(self._unclear()))
        file = Path(questions.path).name
        title = self.tr("How to use {file}").format(file=file)
        self.setAccessibleName(title)
        self.lay_out(title, *head, area, self.remark, ok=self.use_button)
        self.body.setStretchFactor(area, FILLS)
        self._fill()
        self._filling = False
        self.say(questions.remark)

    # -- building ---------------------------------------------------------------------------------

    def _make_editors(self) -> None:
        self.task = self._combo(self.tr("Task"))
        self.form = self._combo(self.tr("Outputs"))
        self.names = self._combo(self.tr("Class names"))
        self.choose = QPushButton(self.tr("Choose file…"))
        self.choose.setToolTip(
            self.tr("Choose a list of names: one a line, a data.yaml or a COCO .json")
        )
        self.choose.clicked.connect(self._want_names)
        self.width_box = self._side(self.tr("Width"))
        self.height_box = self._side(self.tr("Height"))
        self.fit_box = self._combo(self.tr("Photo to input"))
        self.scale = self._combo(self.tr("Pixel values"))
        self.mean = self._numbers(self.tr("Mean"))
        self.std = self._numbers(self.tr("Standard deviation"))
        self.order = self._combo(self.tr("Order of the channels"))
        self.layout_box = self._combo(self.tr("Order of the axes"))
        self.reason = Label(quiet=True, factor=0.92)

    def _combo(self, name: str) -> Combo:
        combo = Combo()
        combo.setAccessibleName(name)
        combo.currentIndexChanged.connect(self._changed)
        return combo

    def _side(self, name: str) -> QSpinBox:
        box = QSpinBox()
        box.setRange(1, MOST_SIDE)
        box.setAccessibleName(name)
        box.setAlignment(Qt.AlignmentFlag.AlignRight)
        box.setKeyboardTracking(False)
        box.valueChanged.connect(self._changed)
        return box

    def _numbers(self, name: str) -> Field:
        field = Field()
        field.setAccessibleName(name)
        field.textChanged.connect(self._changed)
        return field

    def _grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(UNIT * 2)
        grid.setVerticalSpacing(UNIT + UNIT // 2)
        grid.setColumnStretch(1, 1)
        task = QVBoxLayout()
        task.setSpacing(UNIT // 2)
        task.addWidget(self.task)
        task.addWidget(self.reason)
        size = self._line(self.width_box, Label("x"), self.height_box)
        channels = self._line(self.order, self.layout_box)
        self._rows: dict[QWidget, Label] = {}
        rows: tuple[tuple[str, QWidget | QLayout, QWidget], ...] = (
            (self.tr("Task"), task, self.task),
            (self.tr("Outputs"), self.form, self.form),
            (self.tr("Class names"), self._line(self.names, self.choose), self.names),
            (self.tr("Input size"), size, self.width_box),
            (self.tr("Photo to input"), self.fit_box, self.fit_box),
            (self.tr("Pixel values"), self.scale, self.scale),
            (self.tr("Mean"), self.mean, self.mean),
            (self.tr("Standard deviation"), self.std, self.std),
            (self.tr("Channels"), channels, self.order),
        )
        for row, (words, shown, editor) in enumerate(rows):
            label = Label(words)
            label.hug()
            self._rows[editor] = label
            grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            label.setMinimumHeight(self.task.sizeHint().height())
            label.setAlignment(Qt.AlignmentFlag.AlignVCenter)
            if isinstance(shown, QWidget):
                grid.addWidget(shown, row, 1)
            else:
                grid.addLayout(shown, row, 1)
        grid.setRowStretch(len(self._rows), 1)
        return grid

    @staticmethod
    def _line(*widgets: QWidget) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(UNIT)
        for widget in widgets:
            line.addWidget(widget, 1 if isinstance(widget, (Combo, QSpinBox)) else 0)
        return line

    def _unclear(self) -> str:
        words = {
            "task": self.tr("the task"),
            "preprocessing": self.tr("the preprocessing"),
            "class names": self.tr("the class names"),
        }
        missing = [said for word, said in words.items() if word in self._questions.unclear]
        *first, last = missing
        listed = f"{', '.join(first)} {self.tr('and')} {last}" if first else last
        return self.tr("The file does not contain {what}: check the usual values below.").format(
            what=listed
        )

    # -- what is offered --------------------------------------------------------------------------

    def _fill(self) -> None:
        said = self._questions.answers
        tasks = dict.fromkeys(use.task for use in self._questions.uses)
        words = {
            "classification": self.tr("Classification"), "detection": self.tr("Object detection"),
            "segmentation": self.tr("Semantic segmentation"), "features": self.tr("Features only"),
            "localization": self.tr("Localization"), "pose": self.tr("Pose"),
        }  # fmt: skip
        for task in tasks:
            self.task.addItem(words[task], task)
        _select(self.task, said.task)
        self._fill_forms(said.form)
        self._fill_names(said.names)
        fixed_height, fixed_width = self._questions.fixed
        for box, value, fixed in (
            (self.width_box, said.width, fixed_width),
            (self.height_box, said.height, fixed_height),
        ):
            box.setValue(value)
            box.setEnabled(not fixed)
            if fixed:
                box.setToolTip(self.tr("The file takes this size only."))
        for word, title in self._fits():
            self.fit_box.addItem(title, word)
        _select(self.fit_box, said.fit)
        for word, title in self._scales():
            self.scale.addItem(title, word)
        _select(self.scale, said.scale)
        self.mean.setText(", ".join(f"{value:.6g}" for value in said.mean))
        self.std.setText(", ".join(f"{value:.6g}" for value in said.std))
        self.order.addItem(self.tr("Red, green, blue"), "RGB")
        self.order.addItem(self.tr("Blue, green, red"), "BGR")
        _select(self.order, said.order)
        self.layout_box.addItem(self.tr("Channels first (NCHW)"), "NCHW")
        self.layout_box.addItem(self.tr("Channels last (NHWC)"), "NHWC")
        _select(self.layout_box, said.layout)
        self.layout_box.setEnabled(not self._questions.layout_known)
        if self._questions.layout_known:
            self.layout_box.setToolTip(self.tr("The shape of the file's input tells it."))
        self.order.setVisible(self._questions.channels == 3)
        self._adapt()

    def _fill_forms(self, form: str = "") -> None:
        words = {
            "yolov5": self.tr("YOLOv5, YOLOv7"),
            "yolov8": self.tr("YOLOv8, YOLOv9, YOLO11"),
            "yolox": self.tr("YOLOX (offsets from the cells of a grid)"),
            "end-to-end": self.tr("YOLOv10 (final boxes, without NMS)"),
            "ssd": self.tr("SSD (boxes and class scores)"),
            "boxes": self.tr("Final boxes, scores and labels"),
            "detr": self.tr("DETR (boxes and logits)"),
        }
        self.form.clear()
        for use in self._questions.uses:
            if use.task == self.task.currentData() and use.form:
                self.form.addItem(words[use.form], use.form)
        _select(self.form, form)

    def _fill_names(self, chosen: tuple[str, ...] | None = None) -> None:
        use = self.use
        more = [one for one in self._own_names if _fits(len(one.names), use)]
        self._lists = [*more, *use.names]
        self.names.clear()
        for one in self._lists:
            source = {"": self.tr("As set"), "the file": self.tr("From the file")}
            title = self.tr("{source} ({count:,})").format(
                source=source.get(one.source, one.source), count=len(one.names)
            )
            self.names.addItem(title, one.names)
            rest = ", …" if len(one.names) > SHOWN_NAMES else ""
            shown = ", ".join(one.names[:SHOWN_NAMES]) + rest
            tip = Qt.ItemDataRole.ToolTipRole
            self.names.setItemData(self.names.count() - 1, shown, tip)
        self.names.addItem(self.tr("None: numbers are shown"), ())
        rows = [one.names for one in self._lists]
        none = chosen is not None and not chosen
        self.names.setCurrentIndex(
            len(rows) if none else rows.index(chosen) if chosen in rows else 0
        )

    def _fits(self) -> tuple[tuple[str, str], ...]:
        words = {
            "stretch": self.tr("Stretched to the size"),
            "crop": self.tr("Resized to 8/7 of the size, center crop"),
            "tight": self.tr("Short side resized, center crop"),
            "center": self.tr("Letterboxed, gray on both sides"),
            "corner": self.tr("Letterboxed, gray at the right and below"),
            "short": self.tr("Short side resized, whole photo"),
            "whole": self.tr("Photo in its own size"),
        }
        fixed = self._questions.fixed
        square = not all(fixed) or fixed[0] == fixed[1]
        offered = [
            (word, title)
            for word, title in words.items()
            if (square or word not in SQUARE) and not (any(fixed) and word in SHAPED)
        ]
        if self._questions.answers.fit == KEPT:
            offered.insert(0, (KEPT, self._questions.before.title()))
        return tuple(offered)

    def _scales(self) -> tuple[tuple[str, str], ...]:
        return (
            ("unit", self.tr("0 to 1")),
            ("bytes", self.tr("0 to 255")),
            ("imagenet", self.tr("0 to 1, ImageNet mean and std")),
            ("half", self.tr("−1 to 1 (mean 0.5, std 0.5)")),
            ("caffe", self.tr("0 to 255 minus the mean (Caffe)")),
            (OWN, self.tr("Other mean and std")),
        )

    # -- what is said -----------------------------------------------------------------------------

    @property
    def use(self) -> Use:
        """What the outputs are used for now."""
        task, form = self.task.currentData(), self.form.currentData() or ""
        uses = self._questions.uses
        return next((use for use in uses if (use.task, use.form) == (task, form)), uses[0])

    def answers(self) -> Answers | None:
        """What is said now; None where a field cannot be read."""
        mean, std = (_parsed(field.text()) for field in (self.mean, self.std))
        own = self.scale.currentData() == OWN
        count, before = self._questions.channels, self._questions.answers
        if own and (len(mean) != count or len(std) != count or 0 in std):
            return None
        use = self.use
        return replace(
            before,
            task=use.task,
            form=use.form,
            names=tuple(self.names.currentData() or ()) if use.task != "features" else (),
            height=self.height_box.value(),
            width=self.width_box.value(),
            fit=self.fit_box.currentData(),
            scale=self.scale.currentData(),
            mean=mean if own else before.mean,
            std=std if own else before.std,
            order=self.order.currentData(),
            layout=self.layout_box.currentData(),
        )

    def add_names(self, names: Names) -> None:
        """A list that the user has chosen: it is taken."""
        self._own_names.insert(0, names)
        self._filling = True
        self._fill_names(names.names)
        self._filling = False
        self._changed()

    def say(self, words: str) -> None:
        """Why something could not be taken; "" = nothing is wrong."""
        self.remark.setText(words)
        self.remark.setVisible(bool(words))

    def show_input(self, prepared: Prepared) -> None:
        """The photo as the answers of the moment prepare it."""
        self.preview.show_input(prepared, self.order.currentData())
        self.preview.show()

    def open_sheet(self) -> None:
        self.open(self.task)
        self._tell()

    def _changed(self, _value: object = None) -> None:
        if self._filling:
            return
        self._filling = True
        sender = self.sender()
        if sender is self.task:
            self._fill_forms()
        if sender in (self.task, self.form):
            self._fill_names()
        self._adapt()
        self._filling = False
        self.say("")
        self._tell()

    def _adapt(self) -> None:
        """Only what makes sense now is shown, or can be set."""
        use, fit = self.use, self.fit_box.currentData()
        self.names.setToolTip(str(self.names.currentData(Qt.ItemDataRole.ToolTipRole) or ""))
        self.reason.setText(f"{use.reason}.")
        self._show(self.form, self.form.count() > 1)
        self._show(self.names, use.task != "features")
        self.choose.setVisible(use.task != "features")
        own = self.scale.currentData() == OWN
        self._show(self.mean, own)
        self._show(self.std, own)
        one_side = fit in SQUARE or fit == "short"
        if one_side:
            self.width_box.setValue(self.height_box.value())
        height, width = self._questions.fixed
        sized = fit not in (WHOLE, KEPT)
        self.width_box.setEnabled(not width and sized and not one_side)
        self.height_box.setEnabled(not height and sized)
        self.use_button.setEnabled(self.answers() is not None)
        if own and self.answers() is None:
            words = self.tr("Mean and standard deviation take {count} numbers, as in 0.5, 0.5, 0.5")
            self.mean.setToolTip(words.format(count=self._questions.channels))

    def _show(self, editor: QWidget, shown: bool) -> None:
        editor.setVisible(shown)
        self._rows[editor].setVisible(shown)

    def _tell(self) -> None:
        said = self.answers()
        if said is not None:
            self.changed.emit(said)

    def _want_names(self) -> None:
        self.names_wanted.emit(self.use)

    def _accept(self) -> None:
        said = self.answers()
        if said is not None:
            self.close_sheet()
            self.accepted.emit(said)


def _select(combo: Combo, data: object) -> None:
    combo.setCurrentIndex(max(0, combo.findData(data)))


def _fits(names: int, use: Use) -> bool:
    background = use.task in ("detection", "segmentation")
    return not use.classes or names == use.classes or (background and names == use.classes - 1)


def _parsed(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.replace(";", ",").split(",") if word.strip())
    except ValueError:
        return ()
