"""Boxes that people have drawn: COCO, Pascal VOC and YOLO files become one kind of data set.

Inside the program a box is x0, y0, x1, y1 in pixels of the photo, where pixel (row i, column j)
covers [j, j + 1) x [i, i + 1). Values are read as they are: nothing is clipped or rounded
here, `fitted` does that for a photo that is to be shown. How the formats count pixels stands in
`explorer.saving.boxes`, which writes them.

Nothing in a file is trusted. An entry that is no box is ignored and counted in the notes; a file
that is no annotation at all ends in an `ExplorerError`.
"""
