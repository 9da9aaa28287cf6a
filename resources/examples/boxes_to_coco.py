"""Runs a detector on photos and writes one COCO file, for correction in an annotation tool."""

import sys

import explorer
from explorer.saving.export import save_coco


def main(photos: list[str]) -> None:
    """Writes boxes.json."""
    entries = []
    for photo in photos:
        answer = explorer.look("detections", photo, network="lite-fasterrcnn", score=0.3)
        assert answer.boxes is not None
        entries.append((answer.photo_info, answer.boxes))
        print(f"{photo}: {answer.summary}")
    save_coco("boxes.json", entries)


if __name__ == "__main__":
    main(sys.argv[1:] or ["cat", "motorcycle"])
