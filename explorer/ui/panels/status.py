"""The status bar."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSizePolicy, QStatusBar, QWidget

from explorer.ui.widgets.small_widgets import UNIT


class Status(QStatusBar):
    """What is under the mouse on the left; time, network, device, runtime and jobs on the right."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeGripEnabled(False)
        self.readout = QLabel()
        self.readout.setAccessibleName(self.tr("Values under the mouse"))
        self.network = QLabel()
        self.network.setAccessibleName(self.tr("Network and device"))
        self.runtime = QLabel()
        self.runtime.setAccessibleName(self.tr("Runtime of the network for live frames"))
        self.time = QLabel()
        self.time.setAccessibleName(self.tr("Time of the last computation"))
        for label in (self.readout, self.network, self.runtime, self.time):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setContentsMargins(UNIT, 3, UNIT, 4)
        # A long readout is cut at its end instead of pushing the window wider.
        self.readout.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.addWidget(self.readout, 1)
        self.addPermanentWidget(self.time)
        self.addPermanentWidget(self.network)
        self.addPermanentWidget(self.runtime)
        self.name_runtime("", "")

    def name_runtime(self, words: str, details: str) -> None:
        """What computes the frames of a live source; "" = nothing is said of it."""
        self.runtime.setText(words)
        self.runtime.setToolTip(details)
        self.runtime.setVisible(bool(words))

    def add_jobs(self, button: QWidget) -> None:
        """Puts the button of the background jobs into the corner."""
        self.addPermanentWidget(button)
