"""Every optimiser against a loop written out in numpy, with a rate that falls on the way, and against torch's own."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import _muon

from cnnbench.config.optimizer import OPTIMIZERS, OptimizerConfig
from cnnbench.training.optimizers.build import UPDATE_RULES, build_optimizer, set_rate
from cnnbench.training.optimizers.muon import orthogonal

RATES = (0.1, 0.1, 0.1, 0.01, 0.01, 0.02)
DECAY = 0.05
DRAWN = np.random.default_rng(0)
GRADIENTS = [{"weight": DRAWN.normal(size=(3, 4)), "bias": DRAWN.normal(size=3)} for _ in RATES]
START = {"weight": DRAWN.normal(size=(3, 4)), "bias": DRAWN.normal(size=3)}


def model_at_start() -> nn.Linear:
    model = nn.Linear(4, 3).double()
    model.load_state_dict({name: torch.from_numpy(value) for name, value in START.items()})
    return model


def take_steps(optimizer: torch.optim.Optimizer, model: nn.Module, first: int = 0, last: int = len(RATES)) -> None:
    for rate, gradients in list(zip(RATES, GRADIENTS, strict=True))[first:last]:
        for group in optimizer.param_groups:
            group["lr"] = rate
        for name, parameter in model.named_parameters():
            parameter.grad = torch.from_numpy(gradients[name].copy())
        optimizer.step()
        for name, parameter in model.named_parameters():
            assert torch.equal(parameter.grad, torch.from_numpy(gradients[name])), "a step leaves gradients alone"


# One step in numpy: (w, g, rate, decay, state, whether biases and norms are spared it) -> w; state is a dict to keep.
def sgd(w, g, rate, decay, state, spared):
    g = g + decay * w
    state["v"] = 0.9 * state["v"] + (1 - 0.25) * g if "v" in state else g  # torch: no dampening at the first step
    return w - rate * state["v"]


def nesterov(w, g, rate, decay, state, spared):
    g = g + decay * w
    state["v"] = 0.9 * state.get("v", 0) + g
    return w - rate * (g + 0.9 * state["v"])


def caffe_sgd(w, g, rate, decay, state, spared):
    state["v"] = 0.9 * state.get("v", 0) - decay * rate * w - rate * g
    return w + state["v"]


def rmsprop(w, g, rate, decay, state, spared):
    g = g + decay * w
    state["s"] = 0.95 * state.get("s", 0) + 0.05 * g**2
    state["v"] = 0.9 * state.get("v", 0) + g / (np.sqrt(state["s"]) + 1e-3)
    return w - rate * state["v"]


def tensorflow_rmsprop(w, g, rate, decay, state, spared):
    g = g + decay * w
    state["s"] = 0.9 * state.get("s", 1) + 0.1 * g**2
    state["v"] = 0.9 * state.get("v", 0) + rate * g / np.sqrt(state["s"] + 1.0)
    return w - state["v"]


def adams_step(g, state):
    state["t"] = state.get("t", 0) + 1
    state["m"] = 0.8 * state.get("m", 0) + 0.2 * g
    state["s"] = 0.99 * state.get("s", 0) + 0.01 * g**2
    return state["m"] / (1 - 0.8 ** state["t"]) / (np.sqrt(state["s"] / (1 - 0.99 ** state["t"])) + 1e-3)


def adam(w, g, rate, decay, state, spared):
    return w - rate * adams_step(g + decay * w, state)


def adamw(w, g, rate, decay, state, spared):
    return w - rate * decay * w - rate * adams_step(g, state)


def norm(x):
    return np.sqrt((x**2).sum())


def lars(w, g, rate, decay, state, spared):
    trust = 1 if spared else 0.02 * norm(w) / (norm(g) + decay * norm(w))
    state["v"] = 0.9 * state.get("v", 0) + rate * trust * (g + decay * w)
    return w - state["v"]


def lamb(w, g, rate, decay, state, spared):
    u = adams_step(g, state) + decay * w
    return w - rate * (1 if spared else norm(w) / norm(u)) * u


def muon(w, g, rate, decay, state, spared):
    """torch has the iteration, too, for matrices."""
    w = w - rate * decay * w
    if w.ndim == 1:
        return w - rate * adams_step(g, state)
    state["v"] = 0.9 * state.get("v", 0) + 0.1 * g
    nearest = _muon._zeropower_via_newtonschulz(
        torch.from_numpy(0.1 * g + 0.9 * state["v"]), (3.4445, -4.775, 2.0315), 5, 1e-7
    )
    return w - rate * 0.2 * np.sqrt(4) * nearest.double().numpy()


ADAM = dict(betas=[0.8, 0.99], eps=1e-3)
CASES = {
    "sgd": (sgd, dict(kind="sgd", momentum=0.9, dampening=0.25)),
    "sgd fused": (sgd, dict(kind="sgd", momentum=0.9, dampening=0.25, fused=True)),
    "nesterov": (nesterov, dict(kind="sgd", momentum=0.9, nesterov=True)),
    "caffe_sgd": (caffe_sgd, dict(kind="caffe_sgd", momentum=0.9)),
    "rmsprop": (rmsprop, dict(kind="rmsprop", momentum=0.9, alpha=0.95, eps=1e-3)),
    "tensorflow_rmsprop": (tensorflow_rmsprop, dict(kind="tensorflow_rmsprop", momentum=0.9, alpha=0.9, eps=1.0)),
    "adam": (adam, dict(kind="adam", **ADAM)),
    "adam fused": (adam, dict(kind="adam", fused=True, **ADAM)),
    "adamw": (adamw, dict(kind="adamw", **ADAM)),
    "adamw fused": (adamw, dict(kind="adamw", fused=True, **ADAM)),
    "muon": (muon, dict(kind="muon", momentum=0.9, **ADAM)),
    "lars": (lars, dict(kind="lars", momentum=0.9, trust_coefficient=0.02)),
    "lamb": (lamb, dict(kind="lamb", **ADAM)),
}


def configured(keys: dict, decay_biases: bool) -> OptimizerConfig:
    return OptimizerConfig(lr=RATES[0], weight_decay=DECAY, decay_biases=decay_biases, **keys)


@pytest.mark.parametrize("decay_biases", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_trajectory(name, decay_biases):
    by_hand, keys = CASES[name]
    model = model_at_start()
    take_steps(build_optimizer(model, configured(keys, decay_biases), 256), model)
    for part, value in START.items():
        spared, state = part == "bias" and not decay_biases, {}
        for rate, gradients in zip(RATES, GRADIENTS, strict=True):
            value = by_hand(value, gradients[part], rate, 0.0 if spared else DECAY, state, spared)
        np.testing.assert_allclose(model.get_parameter(part).detach().numpy(), value, rtol=1e-10)


def test_every_kind_is_tried_and_known_to_the_checks():
    assert {keys["kind"] for _, keys in CASES.values()} == set(UPDATE_RULES) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", CASES)
def test_a_saved_state_continues_exactly(name, tmp_path):
    config = configured(CASES[name][1], decay_biases=False)
    whole = model_at_start()
    take_steps(build_optimizer(whole, config, 256), whole)
    half = model_at_start()
    optimizer = build_optimizer(half, config, 256)
    take_steps(optimizer, half, last=4)
    torch.save({"model": half.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "half.pt")
    content = torch.load(tmp_path / "half.pt", weights_only=True)
    rest = model_at_start()
    optimizer = build_optimizer(rest, config, 256)
    rest.load_state_dict(content["model"])
    optimizer.load_state_dict(content["optimizer"])
    take_steps(optimizer, rest, first=4)
    for name, value in whole.state_dict().items():
        assert torch.equal(rest.state_dict()[name], value)


def test_caffes_form_is_torchs_while_the_rate_is_constant_and_not_after():
    ours, theirs = model_at_start(), model_at_start()
    a = build_optimizer(ours, configured(dict(kind="caffe_sgd", momentum=0.9), True), 256)
    b = torch.optim.SGD(theirs.parameters(), RATES[0], momentum=0.9, weight_decay=DECAY)
    for optimizer, model in ((a, ours), (b, theirs)):
        take_steps(optimizer, model, last=3)
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-12, atol=0)
    for optimizer, model in ((a, ours), (b, theirs)):
        take_steps(optimizer, model, first=3)
    assert (ours.weight - theirs.weight).abs().max() > 1e-3


@pytest.mark.parametrize("decay_biases", [True, False])
@pytest.mark.parametrize("name", ["sgd", "caffe_sgd", "adamw"])
def test_biases_have_a_rate_of_their_own(name, decay_biases):
    """As Caffe's lr_mult of 2: the whole trajectory of biases at twice the rate, of weights as before."""
    by_hand, keys = CASES[name]
    model = model_at_start()
    optimizer = build_optimizer(model, configured({**keys, "bias_lr": 2.0}, decay_biases), 256)
    assert {group["lr"] for group in optimizer.param_groups} == {0.1, 0.2}
    for rate, gradients in zip(RATES, GRADIENTS, strict=True):
        set_rate(optimizer, rate)
        for part, parameter in model.named_parameters():
            parameter.grad = torch.from_numpy(gradients[part].copy())
        optimizer.step()
    for part, value in START.items():
        spared, state, factor = part == "bias" and not decay_biases, {}, 2 if part == "bias" else 1
        for rate, gradients in zip(RATES, GRADIENTS, strict=True):
            value = by_hand(value, gradients[part], factor * rate, 0.0 if spared else DECAY, state, spared)
        np.testing.assert_allclose(model.get_parameter(part).detach().numpy(), value, rtol=1e-10)


def test_shifts_of_normalisation_layers_have_the_rate_of_weights():
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    groups = build_optimizer(model, OptimizerConfig(kind="sgd", lr=0.1, bias_lr=3.0), 256).param_groups
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    found = {name: rates[id(parameter)] for name, parameter in model.named_parameters()}
    assert found == pytest.approx({"0.weight": 0.1, "0.bias": 0.3, "1.weight": 0.1, "1.bias": 0.1})


@pytest.mark.parametrize("kind", ["lars", "lamb", "muon"])
def test_zero_weights_and_zero_gradients_take_finite_steps(kind):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    nn.init.zeros_(model[0].weight)
    before = copy.deepcopy(model)
    optimizer = build_optimizer(model, OptimizerConfig(kind=kind, lr=0.1), 256)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    model[1].weight.grad.zero_()
    model[1].bias.grad = None
    optimizer.step()
    assert (model[0].weight != 0).all()
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    for name in ("weight", "bias"):
        assert torch.equal(getattr(model[1], name), getattr(before[1], name))


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (9, 9)])
def test_muons_steps_turn_and_do_not_stretch(shape):
    matrix = torch.from_numpy(np.random.default_rng(1).normal(size=shape) * 1e-3)
    before, after = torch.linalg.svd(matrix), torch.linalg.svd(orthogonal(matrix))
    assert after.S.min() > 0.5
    assert after.S.max() < 1.25
    turned = before.U[:, : len(before.S)] @ before.Vh[: len(before.S)]
    assert torch.nn.functional.cosine_similarity(orthogonal(matrix).flatten(), turned.flatten(), dim=0) > 0.97


def test_muon_takes_a_filter_as_a_row():
    torch.manual_seed(0)
    conv, flat = nn.Conv2d(3, 5, 2, bias=False), nn.Linear(12, 5, bias=False)
    flat.weight.data = conv.weight.data.flatten(1).clone()
    gradient = torch.randn(5, 3, 2, 2)
    for model, shaped in ((conv, gradient), (flat, gradient.flatten(1))):
        optimizer = build_optimizer(model, OptimizerConfig(kind="muon", lr=0.1, momentum=0.9, weight_decay=0.1), 256)
        model.weight.grad = shaped.clone()
        optimizer.step()
    assert torch.equal(conv.weight.flatten(1), flat.weight)
