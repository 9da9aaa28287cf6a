"""Attacks against answers worked out by hand, foolbox, and scipy's L-BFGS-B."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

from explorer.vision.adversarial.bounded import fgsm, pgd, projected, random_in_ball
from explorer.vision.adversarial.deepfool import deepfool
from explorer.vision.adversarial.goals import ClassGoal, Evaluation
from explorer.vision.adversarial.iterates import lasting, slope_at
from explorer.vision.adversarial.penalized import gradient_descent, lbfgs, smallest
from explorer.vision.adversarial.pictures import amplified, levels, rounded, sizes
from explorer.vision.features.classifier import Classifier
from tests.toys import MeanClassifier, ToyConvNet, hook_count


def photo(seed: int = 0, side: int = 12) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


def toy(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Tanh(),
            nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(72, 6),
        ).eval()  # fmt: skip


def top(module: nn.Module, picture: Tensor) -> int:
    with torch.no_grad():
        return int(module(picture).argmax())


def means() -> Classifier:
    return Classifier(MeanClassifier((1.0, 2.0, 4.0)))


GRAY = torch.tensor([0.5, 0.4, 0.6]).view(1, 3, 1, 1).expand(1, 3, 4, 4).contiguous()


def test_fgsm_of_a_classifier_that_can_be_differentiated_by_hand() -> None:
    """Logit k is gain k times the mean of channel k: the loss of class 0 falls with channel 0."""
    found = lasting(fgsm(ClassGoal(means(), 0, targeted=True), GRAY, epsilon=0.1))
    expected = torch.tensor([0.6, 0.3, 0.5]).view(1, 3, 1, 1).expand_as(GRAY)
    torch.testing.assert_close(found.picture, expected)
    away = lasting(fgsm(ClassGoal(means(), 2, targeted=False), GRAY, epsilon=0.1))
    expected = torch.tensor([0.6, 0.5, 0.5]).view(1, 3, 1, 1).expand_as(GRAY)
    torch.testing.assert_close(away.picture, expected)
    assert away.evaluation.output.tolist() == pytest.approx([0.6, 1.0, 2.0])


def test_deepfool_finds_the_distance_to_a_plane() -> None:
    """The boundary of a linear classifier is reached in one step of the known length."""
    logits = means()
    goal = ClassGoal(logits, 2, targeted=False)
    found = lasting(deepfool(goal, GRAY, overshoot=0.0, steps=3))
    z = logits(GRAY)[0].detach()
    # w of channel mean k over 16 pixels is gain / 16 in each: |w_j - w_2| = sqrt(gains / 16).
    lengths = [float(z[2] - z[k]) / ((g**2 + 16) / 16) ** 0.5 for k, g in enumerate((1.0, 2.0))]
    assert sizes(found.picture - GRAY).l2 == pytest.approx(min(lengths), rel=1e-3)
    assert found.evaluation.reached
    assert found.step == 1


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_stays_in_its_ball_and_lowers_the_loss(norm) -> None:
    module, start = toy(), photo()
    goal = ClassGoal(Classifier(module), (top(module, start) + 1) % 6, targeted=True)
    epsilon = 0.05 if norm == "linf" else 0.5
    seen = list(
        pgd(goal, start, norm=norm, epsilon=epsilon, step=epsilon / 5, steps=15,
            generator=torch.Generator().manual_seed(4))
    )  # fmt: skip
    assert [at.step for at in seen] == list(range(16))
    assert seen[-1].objective < seen[0].objective
    for at in seen:
        size = sizes(at.picture - start)
        assert (size.linf if norm == "linf" else size.l2) <= epsilon * (1 + 1e-5)
        assert float(at.picture.min()) >= 0
        assert float(at.picture.max()) <= 1
        logits = module(at.picture)
        torch.testing.assert_close(at.evaluation.output, logits[0].detach())
        assert at.evaluation.reached == (int(logits.argmax()) == goal.label)


def test_the_same_seed_gives_the_same_picture_bit_for_bit() -> None:
    module, start = toy(), photo()
    goal = ClassGoal(Classifier(module), top(module, start), targeted=False)
    found = [
        lasting(
            pgd(goal, start, norm="linf", epsilon=0.03, step=0.01, steps=5,
                generator=torch.Generator().manual_seed(seed))
        ).picture
        for seed in (1, 1, 2)
    ]  # fmt: skip
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_the_ball_of_the_random_start() -> None:
    start = photo()
    generator = torch.Generator().manual_seed(0)
    flat = random_in_ball(start, "linf", 0.1, generator)
    assert 0.09 < float(flat.abs().max()) <= 0.1
    assert 0.0 < float(random_in_ball(start, "l2", 0.1, generator).norm()) <= 0.1 + 1e-6
    far = projected(start + 1.0, start, "l2", 0.1)
    assert float((far - start).norm()) <= 0.1 + 1e-6


def test_stop_ends_with_the_first_success() -> None:
    module, start = toy(), photo()
    goal = ClassGoal(Classifier(module), (top(module, start) + 1) % 6, targeted=True)
    seen = list(pgd(goal, start, norm="linf", epsilon=0.9, step=0.05, steps=60, stop=True))
    assert [at.evaluation.reached for at in seen] == [False] * (len(seen) - 1) + [True]
    assert len(seen) < 61


def test_gradient_descent_does_the_printed_update() -> None:
    """The rule r - gamma (dd/dr + 2 lambda r), worked out once more with plain autograd."""
    module, start = toy(), photo()
    goal = ClassGoal(Classifier(module), 3, targeted=True, distance="squared")
    seen = list(gradient_descent(goal, start, weight=0.02, rate=0.5, steps=4))
    change = torch.zeros_like(start)
    wanted = torch.zeros(6)
    wanted[3] = 1.0
    for at in seen:
        torch.testing.assert_close(at.picture, (start + change).clamp(0, 1))
        variable = (start + change).clamp(0, 1).requires_grad_()
        distance = (module(variable).softmax(1)[0] - wanted).square().sum()
        (slope,) = torch.autograd.grad(distance, variable)
        now = variable.detach() - start
        assert at.evaluation.loss == pytest.approx(float(distance.detach()), abs=1e-6)
        assert at.penalty == pytest.approx(0.02 * float(now.square().sum()), abs=1e-6)
        change = now - 0.5 * (slope + 2 * 0.02 * now)
        change = (start + change).clamp(0, 1) - start


@pytest.mark.parametrize("weight", [0.01, 0.3])
def test_lbfgs_reaches_the_minimum_of_l_bfgs_b(weight: float) -> None:
    module, start = toy(2).double(), photo(5).double()
    goal = ClassGoal(lambda picture: module(picture), (top(module, start) + 2) % 6, targeted=True)

    def objective(flat):
        picture = torch.from_numpy(flat.reshape(start.shape))
        slope = slope_at(goal, picture)
        change = picture - start
        loss = slope.loss + weight * float(change.square().sum())
        return loss, (slope.gradient + 2 * weight * change).numpy().ravel()

    bounds = [(0.0, 1.0)] * start.numel()
    known = minimize(
        objective, start.numpy().ravel(), jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxiter": 300, "ftol": 1e-14, "gtol": 1e-9},
    )  # fmt: skip
    found = lasting(lbfgs(goal, start, weight=weight, steps=300))
    assert found.objective == pytest.approx(known.fun, rel=1e-3)
    assert float(found.picture.min()) >= 0
    assert float(found.picture.max()) <= 1
    size = float((found.picture - start).norm())
    known_size = float(np.linalg.norm(known.x - start.numpy().ravel()))
    assert size == pytest.approx(known_size, rel=0.02)


def test_every_step_of_lbfgs_lowers_the_objective() -> None:
    module, start = toy(), photo()
    goal = ClassGoal(Classifier(module), (top(module, start) + 1) % 6, targeted=True)
    values = [at.objective for at in lbfgs(goal, start, weight=0.01, steps=30)]
    assert len(values) > 5
    assert all(after < before for before, after in pairwise(values))


def test_several_lambdas_keep_the_smallest_perturbation() -> None:
    module, start = toy(), photo()
    goal = ClassGoal(Classifier(module), (top(module, start) + 1) % 6, targeted=True)
    seen = list(smallest(goal, start, weight=0.001, steps=20, rounds=6))
    number, weight, last = seen[-1]
    sizes_reached = [
        float((at.picture - start).norm()) for _, _, at in seen if at.evaluation.reached
    ]
    assert last.evaluation.reached
    assert float((last.picture - start).norm()) == min(sizes_reached)
    weights = list(dict.fromkeys(lam for _, lam, _ in seen))
    assert len(weights) == 6
    assert weights[1] == pytest.approx(0.01), "a success asks for a larger lambda"
    assert any(number == at and weight == lam for at, lam, _ in seen[:-1])


class Broken(nn.Module):
    """Gives NaN from its third forward on."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.calls = toy(), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x) * (float("nan") if self.calls > 2 else 1.0)


@pytest.mark.parametrize("attack", ["pgd", "descent", "deepfool"])
def test_numbers_that_are_none_stop_with_the_last_good_picture(attack: str) -> None:
    start = photo()
    label = top(toy(), start)
    goal = ClassGoal(Classifier(Broken()), label, targeted=False)
    if attack == "pgd":
        seen = list(pgd(goal, start, norm="linf", epsilon=1e-4, step=1e-5, steps=9))
    elif attack == "descent":
        seen = list(gradient_descent(goal, start, weight=0.1, rate=1e-6, steps=9))
    else:
        goal = ClassGoal(Classifier(Broken()), label, targeted=False)
        seen = list(deepfool(goal, start, overshoot=-0.99, steps=9))
    assert len(seen) == 3
    assert [bool(at.problem) for at in seen] == [False, False, True]
    assert "Stopped at step 2" in seen[-1].problem
    assert torch.equal(seen[-1].picture, seen[-2].picture)
    assert torch.isfinite(seen[-1].picture).all()


def test_divergence_stops_with_a_sentence() -> None:
    start = photo()

    def steep(picture: Tensor) -> Evaluation:
        return Evaluation(-((1e4 * (picture - start)).exp().sum() ** 0.5), False, None)

    def runaway(picture: Tensor) -> Evaluation:
        change = (picture - start).sum()
        loss = 1e-3 * change + 1e6 * change.square()
        return Evaluation(loss, False, None)

    seen = list(gradient_descent(runaway, start, weight=0.0, rate=1.0, steps=20))
    assert "diverges" in seen[-1].problem
    assert len(seen) < 21
    assert torch.isfinite(seen[-1].picture).all()
    seen = list(gradient_descent(steep, start, weight=0.0, rate=1.0, steps=20))
    assert "not finite" in seen[-1].problem


def test_the_network_is_left_as_it_was() -> None:
    module = toy()
    for weight in module.parameters():
        weight.requires_grad_()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    goal = ClassGoal(Classifier(module), 0, targeted=True)
    for attack in (
        pgd(goal, photo(), norm="l2", epsilon=1.0, step=0.2, steps=3),
        gradient_descent(goal, photo(), weight=0.1, rate=0.1, steps=3),
        lbfgs(goal, photo(), weight=0.1, steps=3),
        deepfool(goal, photo(), steps=3),
    ):
        lasting(attack)
        assert torch.is_grad_enabled()
    assert hook_count(module) == 0
    assert all(weight.requires_grad and weight.grad is None for weight in module.parameters())
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_loss_that_does_not_depend_on_the_picture() -> None:
    goal = ClassGoal(lambda _: torch.tensor([[1.0, 0.0]]), 1, targeted=True)
    found = lasting(pgd(goal, photo(), norm="l2", epsilon=1.0, step=0.2, steps=3))
    assert torch.equal(found.picture, photo())
    assert lasting(lbfgs(goal, photo(), weight=0.1, steps=3)).step == 0
    stuck = list(deepfool_or_error(goal))
    assert stuck[-1].problem


def deepfool_or_error(goal: ClassGoal):
    linked = ClassGoal(lambda x: goal.logits(x) + 0 * x.sum(), 1, targeted=True)
    return deepfool(linked, photo(), steps=3)


def test_eight_bits() -> None:
    picture = photo(3)
    file = levels(picture)
    assert file.dtype == np.uint8
    again = torch.from_numpy(file).permute(2, 0, 1)[None].float() / 255
    torch.testing.assert_close(rounded(picture), again)
    assert float((rounded(picture) - picture).abs().max()) <= 0.5 / 255 + 1e-6
    gray = amplified(np.zeros((2, 3, 1), np.float32), 16.0)
    assert gray.shape == (2, 3, 3)
    assert (gray == 128).all()


# -- foolbox --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def foolbox():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports a name that scipy has moved
        return pytest.importorskip("foolbox")


def foolbox_model(foolbox, module: nn.Module):
    return foolbox.PyTorchModel(module, bounds=(0, 1), device="cpu")


CASES = [(seed, targeted) for seed in range(3) for targeted in (False, True)]


@pytest.mark.parametrize(("seed", "targeted"), CASES)
@pytest.mark.parametrize("kind", ["fgsm", "linf", "l2"])
def test_fgsm_and_pgd_equal_foolbox(foolbox, kind: str, seed: int, targeted: bool) -> None:
    module, start = toy(seed), photo(seed + 10)
    now = top(module, start)
    label = (now + 2) % 6 if targeted else now
    goal = ClassGoal(Classifier(module), label, targeted)
    wanted = torch.tensor([label])
    criterion = foolbox.criteria.TargetedMisclassification(wanted)
    criterion = criterion if targeted else foolbox.criteria.Misclassification(wanted)
    attacks = foolbox.attacks
    if kind == "fgsm":
        # foolbox has no targeted FGSM: one step of PGD is the same.
        other = attacks.LinfProjectedGradientDescentAttack(
            abs_stepsize=0.03, steps=1, random_start=False
        )
        epsilon, own = 0.03, fgsm(goal, start, epsilon=0.03)
    elif kind == "linf":
        other = attacks.LinfProjectedGradientDescentAttack(
            abs_stepsize=0.004, steps=20, random_start=False
        )
        epsilon = 0.03
        own = pgd(goal, start, norm="linf", epsilon=epsilon, step=0.004, steps=20)
    else:
        other = attacks.L2ProjectedGradientDescentAttack(
            abs_stepsize=0.1, steps=20, random_start=False
        )
        epsilon = 0.6
        own = pgd(goal, start, norm="l2", epsilon=epsilon, step=0.1, steps=20)
    _, theirs, _ = other(foolbox_model(foolbox, module), start, criterion, epsilons=epsilon)
    torch.testing.assert_close(lasting(own).picture, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", range(4))
def test_deepfool_is_as_small_as_foolbox(foolbox, seed: int) -> None:
    module, start = toy(seed), photo(seed + 20)
    label = top(module, start)
    other = foolbox.attacks.L2DeepFoolAttack(steps=50, candidates=6, overshoot=0.02)
    _, theirs, success = other(
        foolbox_model(foolbox, module), start, torch.tensor([label]), epsilons=None
    )
    found = lasting(
        deepfool(ClassGoal(Classifier(module), label, targeted=False), start, candidates=6)
    )
    assert bool(success[0])
    assert found.evaluation.reached
    assert float((found.picture - start).norm()) == pytest.approx(
        float((theirs - start).norm()), rel=0.02
    )


def test_a_network_whose_relu_works_in_place() -> None:
    module = ToyConvNet().eval()
    goal = ClassGoal(Classifier(module, (0.5,) * 3, (0.5,) * 3), 1, targeted=True)
    seen = list(pgd(goal, photo(), norm="linf", epsilon=0.2, step=0.05, steps=5))
    assert seen[-1].objective < seen[0].objective
