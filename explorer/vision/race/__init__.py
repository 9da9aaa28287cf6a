"""Five ways from a photo to boxes, timed stage by stage: R-CNN to single shot, really run.

Every function of `lanes` gives a `Lane`: what it found, for any number of proposals, and the
seconds of every stage. R-CNN runs on regions batch by batch and can be stopped between two; its
features are kept on disk by a `FeatureCache`.
"""
