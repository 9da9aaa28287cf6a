"""The parts of `explorer.export`: atomic files, pictures, data, boxes and films."""
