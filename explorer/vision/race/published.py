"""What papers report of detectors and classifiers, and what lecture slides say of the same.

Numbers as printed. `slides` has what common lecture slides give for a row, where they give anything
else or only a part: two of them contradict each other, and some mix up rows.
"""

from __future__ import annotations

from dataclasses import dataclass

FAST_RCNN = "Girshick 2015, tables 1 and 4"
FASTER_RCNN = "Ren et al. 2015, tables 3 and 5"
YOLO = "Redmon et al. 2016, table 1"
SSD = "Liu et al. 2016, table 7"
RESNET = "He et al. 2016, table 9"
K40, TITAN, NONE = "K40", "Titan X", ""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A detector of the R-CNN family with VGG16, trained on VOC 2007.

    Attributes:
        name: The method.
        hours: Of training; None = not reported.
        seconds: For a photo, proposals not counted; None = they are part of the network.
        with_search: Seconds with the proposals; None = not reported.
        voc_map: mAP on VOC 2007 test, in percent.
        source: The paper and its tables.
        hardware: That the seconds were measured on.
        slides: What lecture slides give.
    """

    name: str
    hours: float | None
    seconds: float | None
    with_search: float | None
    voc_map: float
    source: str
    hardware: str
    slides: str

    @property
    def own_seconds(self) -> float:
        """Of the network alone: for a network that makes its proposals, all of them."""
        found = self.with_search if self.seconds is None else self.seconds
        assert found is not None, "every row has one of both"
        return found


PIPELINES = (
    Pipeline(
        "R-CNN", 84.0, 47.0, None, 66.0, FAST_RCNN, K40,
        "84 h, 47 s, 50 s with selective search, 66.0%",
    ),
    Pipeline("SPP-net", 25.0, 2.3, None, 63.1, FAST_RCNN, K40, ""),
    Pipeline(
        "Fast R-CNN", 9.5, 0.32, 1.83, 66.9,
        "Girshick 2015, tables 1 and 4; with search Ren et al. 2015, table 5", K40,
        "9.5 h, 0.32 s (146x), 2 s with selective search (25x), 66.9%",
    ),
    Pipeline(
        "Faster R-CNN", None, None, 0.198, 69.9, FASTER_RCNN, K40,
        "0.2 s and 66.9%, which is the mAP of Fast R-CNN",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RealTime:
    """A detector in a comparison of speeds.

    Attributes:
        name: The detector.
        trained: The sets of Pascal VOC.
        voc_map: mAP on VOC 2007 test, in percent.
        fps: Frames per second with one photo at a time.
        source: The paper and its table.
        hardware: See `Pipeline`; "" = the table does not say.
        slides: What lecture slides give.
    """

    name: str
    trained: str
    voc_map: float
    fps: float
    source: str
    hardware: str = TITAN
    slides: str = ""


BOTH = "2007+2012"
REAL_TIME = (
    RealTime("100Hz DPM", "2007", 16.0, 100, YOLO, NONE, "16.0%, 100 FPS"),
    RealTime("30Hz DPM", "2007", 26.1, 30, YOLO, NONE, "26.1%, 30 FPS"),
    RealTime(
        "Fast YOLO", BOTH, 52.7, 155, YOLO, TITAN,
        "155 FPS, in others 150 FPS (the paper's text: more than 150)",
    ),
    RealTime("YOLO", BOTH, 63.4, 45, YOLO, TITAN, "63.4%, 45 FPS"),
    RealTime("Fastest DPM", "2007", 30.4, 15, YOLO, NONE, "30.4%, 15 FPS"),
    RealTime("R-CNN minus R", "2007", 53.5, 6, YOLO, NONE, "53.5%, 6 FPS, in others 53%"),
    RealTime("Fast R-CNN", BOTH, 70.0, 0.5, YOLO, NONE, "70.0%, 0.5 FPS"),
    RealTime(
        "Faster R-CNN VGG-16", BOTH, 73.2, 7, YOLO, NONE,
        "7 FPS, in others 5 FPS as in Ren et al. 2015, table 5, on a K40",
    ),
    RealTime(
        "Faster R-CNN ZF", BOTH, 62.1, 18, YOLO, NONE,
        "62.1%, 18 FPS (Ren et al. 2015, table 5: 17 FPS on a K40)",
    ),
    RealTime("YOLO VGG-16", BOTH, 66.4, 21, YOLO),
    RealTime("SSD300", BOTH, 74.3, 46, SSD),
    RealTime("SSD512", BOTH, 76.8, 19, SSD),
    RealTime("YOLOv2 544", BOTH, 78.6, 40, "Redmon and Farhadi 2017, table 3"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Progress:
    """mAP on Pascal VOC by the network under the detector; None = not reported.

    `voc_2007` and `voc_2010` are in percent.
    """

    name: str
    network: str
    voc_2007: float | None
    voc_2010: float | None
    source: str
    slides: str


PROGRESS = (
    Progress(
        "DPM v5", "HOG, no network", 33.7, 33.4, "Girshick et al. 2014, tables 1 and 2", "33.4%"
    ),
    Progress(
        "Selective search and bag of words", "SIFT, no network", None, 35.1,
        "Girshick et al. 2014, table 1", "35.1%",
    ),
    Progress(
        "R-CNN", "AlexNet, 8 layers", 58.5, 53.7, "Girshick et al. 2014, tables 1 and 2", "53.7%"
    ),
    Progress("R-CNN", "VGG16", 66.0, None, "Girshick et al. 2014, fifth version, table 3", "66.0%"),
    Progress("Faster R-CNN", "VGG16", 73.2, None, "He et al. 2016, table 7", "73.2%"),
    Progress("Faster R-CNN", "ResNet-101", 76.4, None, "He et al. 2016, table 7", ""),
    Progress(
        "Faster R-CNN, refined", "ResNet-101", 85.6, None, "He et al. 2016, table 10", ""
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Classified:
    """Errors on ImageNet's 1000 classes, in percent; None = not reported.

    Attributes:
        year: Of the challenge, or of the paper; 0 = none.
        name: The network.
        layers: With weights; 0 = it is not deep.
        how: Networks and crops that are averaged.
        top1: Top-1 error.
        top5: Top-5 error.
        source: The paper and its table.
        slides: What lecture slides give.
    """

    year: int
    name: str
    layers: int
    how: str
    top1: float | None
    top5: float
    source: str
    slides: str = ""


CHALLENGE = "Russakovsky et al. 2015, section 5"
CLASSIFIED = (
    Classified(2010, "NEC-UIUC", 0, "winner, test", None, 28.2, CHALLENGE),
    Classified(2011, "XRCE", 0, "winner, test", None, 25.8, CHALLENGE),
    Classified(
        2012, "AlexNet", 8, "1 network, validation", 40.7, 18.2, "Krizhevsky et al. 2012, table 2"
    ),
    Classified(
        2012, "AlexNet", 8, "5 networks, test", None, 16.4, "Krizhevsky et al. 2012, table 2",
        "about 16%",
    ),
    Classified(
        2012, "AlexNet", 8, "7 networks, 2 of them trained on more photos, test", None, 15.3,
        "Krizhevsky et al. 2012, table 2",
    ),
    Classified(
        2013, "ZFNet", 8, "6 networks, test", None, 14.8, "Zeiler and Fergus 2014, table 2"
    ),
    Classified(2013, "Clarifai", 8, "winner, test", None, 11.7, CHALLENGE),
    Classified(
        2014, "VGG", 19, "7 networks, test", None, 7.3, "Simonyan and Zisserman 2015, table 7",
        "6.7%, which is GoogLeNet's; in others about 9%, of one network and one crop",
    ),
    Classified(
        2014, "VGG", 19, "2 networks, after the challenge, test", None, 6.8,
        "Simonyan and Zisserman 2015, table 7",
    ),
    Classified(
        2014, "GoogLeNet", 22, "7 networks, 144 crops, test", None, 6.67,
        "Szegedy et al. 2015, table 2",
    ),
    Classified(
        2015, "Inception v3", 42, "1 network, 1 crop, validation", 21.2, 5.6,
        "Szegedy et al. 2016, table 3", "6.44%",
    ),
    Classified(
        2015, "Inception v3", 42, "4 networks, 144 crops, validation", 17.2, 3.58,
        "Szegedy et al. 2016, table 5",
    ),
    Classified(
        2015, "ResNet-152", 152, "1 network, validation", 19.38, 4.49, "He et al. 2016, table 4",
        "about 5.94%, of one network and one crop",
    ),
    Classified(2015, "ResNet", 152, "6 networks, test", None, 3.57, "He et al. 2016, table 5"),
    Classified(
        0, "a person", 0, "1,500 photos of the test set", None, 5.1,
        "Russakovsky et al. 2015, section 6.4",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refined:
    """A line of the ResNet paper's table 9, each with the one before: AP on COCO, in percent.

    Attributes:
        name: What is added.
        val: AP at IoU 0.5 and AP at 0.5 to 0.95 on COCO val, trained on COCO train.
        test: The same on COCO test-dev, trained on COCO trainval.
    """

    name: str
    val: tuple[float, float] | None
    test: tuple[float, float] | None = None


REFINED = (
    Refined("Faster R-CNN, VGG-16", (41.5, 21.2)),
    Refined("Faster R-CNN, ResNet-101", (48.4, 27.2)),
    Refined("+ box refinement", (49.9, 29.9)),
    Refined("+ context", (51.1, 30.0), (53.3, 32.2)),
    Refined("+ multi-scale testing", (53.8, 32.5), (55.7, 34.9)),
    Refined("ensemble", None, (59.0, 37.4)),
)
