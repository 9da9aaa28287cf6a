"""Better boxes from a trained detector: more passes, a second regression, voting, ensembles.

Nothing is trained. `passes.run_pass` runs a detector on a resized or mirrored photo and moves its
boxes back; `voting` makes detections of the boxes of any number of passes; `ensemble` joins those
of several detectors.
"""
