"""Classifies photos and writes a table: python classify_photos.py cat.jpg dog.jpg ..."""

import csv
import sys

import explorer


def main(photos: list[str]) -> None:
    """Writes classes.csv: photo, class, probability."""
    with open("classes.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["photo", "class", "probability"])
        for photo in photos:
            answer = explorer.look("classify", photo, network="mini-resnet")
            # The classes are sorted, the most probable one first.
            name, probability = answer.data["class"][0], float(answer.data["probability"][0])
            table.writerow([photo, name, f"{probability:.3f}"])
            print(f"{photo}: {name} {probability:.0%}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["cat", "coffee", "rocket"])  # names of samples
