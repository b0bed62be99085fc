"""Names of Keras Applications, after keras.py has made layers of torch out of Keras's.

Its Inceptions have layers without names of their own, which Keras numbers in the order in which they are made:
conv2d, conv2d_1, ... or, in the published files, conv2d_1, conv2d_2, ...
"""

from __future__ import annotations

from cnnbench.archs.weights.keymaps.keymap import Keymap, Replacement, counted

SOURCE, PROFILE = "Keras Applications'", "keras"
CONVOLUTIONS, NORMS = r"conv2d(_\d+)?", r"batch_normalization(_\d+)?"

# Layers of a dense layer: Keras's -> ours.
DENSE = {"0_bn": "norm1", "1_conv": "conv1", "1_bn": "norm2", "2_conv": "conv2"}
# Stages of Inception-ResNet-v2, by the side of their maps.
STAGES = {"35": "repeat", "17": "repeat_1", "8": "repeat_2"}


def _densenet() -> dict[str, Replacement]:
    names: dict[str, Replacement] = {
        rf"^conv(\d)_block(\d+)_{theirs}\.": counted(f"features.denseblock{{0}}.denselayer{{1}}.{ours}.", -1)
        for theirs, ours in DENSE.items()
    }
    return names | {
        r"^pool(\d)_bn\.": counted("features.transition{0}.norm.", -1),
        r"^pool(\d)_conv\.": counted("features.transition{0}.conv.", -1),
        r"^conv1_conv\.": "features.conv0.",
        r"^conv1_bn\.": "features.norm0.",
        r"^bn\.": "features.norm5.",
        r"^predictions\.": "classifier.",
    }


def _xception() -> dict[str, Replacement]:
    names: dict[str, Replacement] = {r"^predictions\.": "fc."}
    for layer in (1, 2):
        names |= {
            rf"^block1_conv{layer}\.": f"conv{layer}.",
            rf"^block1_conv{layer}_bn\.": f"bn{layer}.",
            rf"^block14_sepconv{layer}\.": f"conv{layer + 2}.",
            rf"^block14_sepconv{layer}_bn\.": f"bn{layer + 2}.",
        }
    for block in range(2, 14):
        for layer in (1, 2, 3):
            at = 3 * (layer - 1) + (block > 2)  # all blocks but the first begin with an activation
            names[rf"^block{block}_sepconv{layer}\."] = f"block{block - 1}.rep.{at}."
            names[rf"^block{block}_sepconv{layer}_bn\."] = f"block{block - 1}.rep.{at + 1}."
    return names | {r"\.depthwise\.": ".conv1."}


KERAS: dict[str, tuple[Keymap, ...]] = {
    "VGG": (
        Keymap(
            SOURCE,
            PROFILE,
            {r"^fc1\.": "classifier.0.", r"^fc2\.": "classifier.3.", r"^predictions\.": "classifier.6."},
            marks=(r"^block1_conv1\.",),
            ordered={r"block\d_conv\d": r"features\.\d+"},
            rows_first={"classifier.0.weight": 512},
            bgr=("features.0.weight",),
        ),
    ),
    "ResNet": (
        Keymap(
            SOURCE,
            PROFILE,
            {
                r"^conv(\d)_block(\d+)_0_conv\.": counted("layer{0}.{1}.downsample.0.", -1, -1),
                r"^conv(\d)_block(\d+)_0_bn\.": counted("layer{0}.{1}.downsample.1.", -1, -1),
                r"^conv(\d)_block(\d+)_(\d)_(conv|bn)\.": counted("layer{0}.{1}.{3}{2}.", -1, -1),
                r"^conv1_conv\.": "conv1.",
                r"^conv1_bn\.": "bn1.",
                r"^predictions\.": "fc.",
            },
            marks=(r"^conv1_conv\.", r"^conv2_block1_0_conv\."),
            bgr=("conv1.weight",),
        ),
    ),
    "DenseNet": (Keymap(SOURCE, PROFILE, _densenet(), marks=(r"^conv1_conv\.", r"^conv2_block1_0_bn\.")),),
    "InceptionV3": (
        Keymap(
            SOURCE,
            PROFILE,
            {r"^predictions\.": "fc."},
            marks=(r"^conv2d(_\d+)?\.", r"^batch_normalization(_\d+)?\."),
            ordered={CONVOLUTIONS: r"(?!AuxLogits).*\.conv", NORMS: r"(?!AuxLogits).*\.bn"},
        ),
    ),
    "InceptionResNetV2": (
        Keymap(
            SOURCE,
            PROFILE,
            {
                r"^block8_10_conv\.": "block8.conv2d.",
                **{
                    rf"^block{side}_(\d+)_conv\.": counted(f"{stage}.{{0}}.conv2d.", -1)
                    for side, stage in STAGES.items()
                },
                r"^conv_7b\.": "conv2d_7b.conv.",
                r"^conv_7b_bn\.": "conv2d_7b.bn.",
                r"^predictions\.": "classif.",
            },
            marks=(r"^conv_7b\.",),
            ordered={CONVOLUTIONS: r"(?!conv2d_7b).*\.conv", NORMS: r"(?!conv2d_7b).*\.bn"},
        ),
    ),
    "Xception": (
        Keymap(
            SOURCE,
            PROFILE,
            _xception(),
            marks=(r"^block1_conv1\.", r"^block14_sepconv2\."),
            ordered={CONVOLUTIONS: r"block\d+\.skip", NORMS: r"block\d+\.skipbn"},
        ),
    ),
}
