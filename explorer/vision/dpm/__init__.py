"""Deformable part models (Felzenszwalb, Girshick, McAllester and Ramanan 2010).

`features` are the HOG cells of a pyramid, `models` the filters and their files, `transform` the
distance transform, `matching` the scores and detections, `network` the same as a CNN.
"""
