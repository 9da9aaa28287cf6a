"""Adversarial examples: attacks on classifiers and detectors, and how they transfer.

Pictures are (1, C, H, W) float32 in [0, 1] as the network receives them. An attack is an iterator
of `Iterate`s, one for every update; `lasting` runs one to its end:

    logits = Classifier(model.eval(), mean, std)
    goal = ClassGoal(logits, label=9, targeted=True)
    found = lasting(pgd(goal, picture, norm="linf", epsilon=8 / 255, step=0.8 / 255, steps=40))
    found.evaluation.reached, found.picture

Modules: `goals` (what is pursued by a classifier), `boxes` (by a detector), `bounded` (FGSM, PGD),
`penalized` (Szegedy et al.: gradient descent, L-BFGS), `deepfool`, `pictures`, `transfer`.
"""
