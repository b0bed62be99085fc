"""The optimiser, `optimizer.*`: training/optimizers/ has the update rules."""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.config.fields import SHARE, Kind, Range, check_acting, key, require

OPTIMIZERS = {
    "sgd": Kind("gradient descent with momentum, as in torch", ("momentum", "dampening", "nesterov", "fused")),
    "caffe_sgd": Kind("momentum as in Caffe and cuda-convnet, with the rate inside the velocity", ("momentum",)),
    "rmsprop": Kind("torch's RMSProp", ("alpha", "eps", "momentum")),
    "tensorflow_rmsprop": Kind("RMSProp of the Inception papers, TensorFlow's", ("alpha", "eps", "momentum")),
    "adam": Kind("Adam", ("betas", "eps", "fused")),
    "adamw": Kind("Adam with decoupled weight decay", ("betas", "eps", "fused")),
    "muon": Kind(
        "orthogonal steps for matrices and filters, Adam's for norms and biases, with decoupled weight decay",
        ("momentum", "betas", "eps"),
    ),
    "lars": Kind("momentum, a rate for each tensor of weights: large batches", ("momentum", "trust_coefficient")),
    "lamb": Kind("Adam, a rate for each tensor of weights: large batches", ("betas", "eps")),
}


@dataclass(frozen=True)
class OptimizerConfig:
    kind: str = key("update rule", kinds=OPTIMIZERS)
    lr: float = key("learning rate at `base_batch`", range=Range(at_least=0))
    base_batch: int = key("global batch at which `lr` is stated, images", 256, range=Range(at_least=1))
    scaling: str = key(
        "how the rate follows the batch: lr x batch / base_batch, lr x the root of that, or lr as it is",
        "linear",
        choices=("linear", "sqrt", "none"),
        source="our choice: at the recipe's batch the rate is its paper's, at others it follows Goyal et al. 2017, 2.1",
    )
    momentum: float = key(
        "sgd, caffe_sgd, both rmsprop, muon, lars: momentum in [0, 1)",
        0.0,
        range=Range(at_least=0, below=1),
    )
    dampening: float = key("sgd: dampening of momentum in [0, 1]", 0.0, range=SHARE, source="none is named")
    nesterov: bool = key("sgd: Nesterov momentum", False)
    alpha: float = key(
        "both rmsprop: share of the mean square that stays at each step, in [0, 1)",
        0.99,
        range=Range(at_least=0, below=1),
    )
    betas: list[float] = key(
        "adam, adamw, muon, lamb: shares of the two means that stay, each in [0, 1)",
        [0.9, 0.999],
        range=Range(at_least=0, below=1),
    )
    eps: float = key(
        "both rmsprop, adam, adamw, muon, lamb: added to the divisor (tensorflow_rmsprop: below the root)",
        1e-8,
        range=Range(at_least=0),
    )
    trust_coefficient: float = key(
        "lars: length of a step, as a share of the length of the weights",
        0.001,
        range=Range(above=0),
    )
    weight_decay: float = key(
        "L2 penalty factor; adamw, muon, lamb: share of the weights, times the rate, taken off at each step",
        0.0,
        range=Range(at_least=0),
    )
    decay_norms: bool = key("decay scales and shifts of normalisation layers too (lars, lamb: and adapt them)", True)
    decay_biases: bool = key("decay biases too (lars, lamb: and adapt them)", True)
    bias_lr: float = key(
        "factor on the rate of biases, but for those of normalisation layers (Caffe, cuda-convnet: 2)",
        1.0,
        range=Range(at_least=0),
        source="one rate for all, as where no other is named",
    )
    classifier_lr: float = key(
        "factor on the rate of the layers that give logits, for fine-tuning (Caffe's example: 10)",
        1.0,
        range=Range(at_least=0),
        source="one rate for all, as where no other is named",
    )
    layer_decay: float = key(
        "factor on the rate from each block to the one before it, for fine-tuning, in (0, 1]; the classifier has the "
        "whole rate, the block before it this share, and so on",
        1.0,
        range=Range(above=0, at_most=1),
        source="one rate for all, as where no other is named",
    )
    fused: bool = key("sgd, adam, adamw: update all weights in one kernel", False)


def check_optimizer(optimizer: OptimizerConfig) -> None:
    """Raise UserError for keys that cannot work together."""
    require(len(optimizer.betas) == 2, f"optimizer.betas={optimizer.betas} needs two values, as in [0.9,0.999]")
    require(
        not optimizer.nesterov or (optimizer.momentum > 0 and optimizer.dampening == 0),
        "optimizer.nesterov=true needs optimizer.momentum above 0 and optimizer.dampening=0",
    )
    check_acting("optimizer", optimizer, OPTIMIZERS)
