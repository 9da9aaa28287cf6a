"""The parts of `explorer.saving.export`: atomic files, pictures, data, boxes and films."""
