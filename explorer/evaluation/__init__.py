"""How good a network is on photos with ground truth. Without Qt.

`datasets` reads the photos with their truth, `matching` finds the network's word for every class of
the data, `metrics` and `coco` count, and `run` does one after the other as a generator of steps.
"""
