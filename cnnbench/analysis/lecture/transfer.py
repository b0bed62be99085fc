"""Features of one data set read by a linear classifier for another: measured by `cnnbench probe`, the commands and the
conditions in docs/transfer.md."""

from __future__ import annotations

from cnnbench.analysis.tables import Table
from cnnbench.evaluation.seeds import mean_interval

# LeNet, trained on the sample (clothes), read for digits: 1,199 training and 10,000 test images of MNIST; top-1 error
# in percent of three seeds, trained and with drawn weights.
PIXELS = 11.60
LENET = {
    "conv1": ((8.45, 8.89, 8.48), (11.07, 11.45, 11.03)),
    "pool1": ((7.90, 8.73, 8.19), (10.57, 11.42, 10.93)),
    "conv2": ((6.33, 5.37, 5.59), (10.65, 11.41, 10.65)),
    "fc3": ((9.20, 8.46, 8.01), (11.23, 11.77, 11.57)),
    "fc4": ((12.45, 12.05, 10.12), (13.00, 12.90, 12.01)),
}
# Public CIFAR-10 weights read for the sample's classes: 1,000 training and 2,000 validation images; wrong in percent.
CLOTHES_PIXELS = 19.85
RESNET_LAYERS = ("layer1", "layer2", "layer3", "avgpool")
RESNETS = {
    "resnet20": (14.05, 13.00, 21.50, 26.95),
    "resnet32": (13.10, 12.95, 24.15, 27.90),
    "resnet44": (14.10, 13.55, 20.25, 26.30),
    "resnet56": (14.90, 14.15, 20.80, 26.45),
}


def by_layer() -> list[Table]:
    """The error of a linear classifier on each layer of LeNet, trained on other images and not trained."""
    rows = [
        (layer, *_mean_and_interval(trained), *_mean_and_interval(drawn)) for layer, (trained, drawn) in LENET.items()
    ]
    columns = {
        **{"layer": "", "trained on clothes": ".2f", "from": ".2f", "to": ".2f"},
        **{"drawn weights": ".2f", "its from": ".2f", "its to": ".2f"},
    }
    notes = [
        "lecture: FC7 features generalise well to other tasks (the slide of VGG)",
        "digits by a linear classifier, top-1 error (%), means of three seeds with their 95 % interval (Student's t); "
        f"of the pixels themselves {PIXELS:.2f}",
        "what clothes taught serves for digits: half the error of the same layer untrained, in the middle. At fc4, the "
        "layer before the classifier, no difference can be seen within the intervals: ten classes of small pictures do "
        "not make features as 1,000 classes of ILSVRC do, of which the lecture speaks",
        "docs/transfer.md has the commands, all values, and the form for ILSVRC's networks, which was not run",
    ]
    return [Table("Features that generalise: from clothes to digits", columns, rows, notes)]


def by_depth() -> list[Table]:
    """The same for residual networks of four depths."""
    rows = [(network, *errors) for network, errors in RESNETS.items()]
    columns = {"network": "", **dict.fromkeys(RESNET_LAYERS, ".2f")}
    notes = [
        "lecture: features matter, deeper features are well transferrable (the slide of ResNet)",
        "public CIFAR-10 weights, read for ten classes of clothes by a linear classifier, top-1 error (%); one network "
        f"of each depth, interval some 1.5 either way; of the pixels themselves {CLOTHES_PIXELS:.2f}",
        "deeper layers are not better here, nor deeper networks: the last layers tell the ten classes apart that they "
        "were trained for. docs/transfer.md has the commands, and the form for ILSVRC's networks, which was not run",
    ]
    return [Table("Deeper features: from photographs to clothes", columns, rows, notes)]


def _mean_and_interval(values: tuple[float, ...]) -> tuple[float, float, float]:
    return (sum(values) / len(values), *mean_interval(values))
