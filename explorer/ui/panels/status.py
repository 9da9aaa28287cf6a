"""The status bar."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSizePolicy, QStatusBar, QWidget

from explorer.ui.widgets.small_widgets import UNIT


class Status(QStatusBar):
    """What is under the mouse on the left; time, network, device and jobs on the right."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeGripEnabled(False)
        self.readout = QLabel()
        self.readout.setAccessibleName(self.tr("Values under the mouse"))
        self.network = QLabel()
        self.network.setAccessibleName(self.tr("Network and device"))
        self.time = QLabel()
        self.time.setAccessibleName(self.tr("Time of the last computation"))
        for label in (self.readout, self.network, self.time):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setContentsMargins(UNIT, 3, UNIT, 4)
        # A long readout is cut at its end instead of pushing the window wider.
        self.readout.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.addWidget(self.readout, 1)
        self.addPermanentWidget(self.time)
        self.addPermanentWidget(self.network)

    def add_jobs(self, button: QWidget) -> None:
        """Puts the button of the background jobs into the corner."""
        self.addPermanentWidget(button)
