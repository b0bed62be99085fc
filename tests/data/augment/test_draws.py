"""What is drawn for an image, before it is decoded."""

from __future__ import annotations

from cnnbench.config.augment import AugmentConfig, EraseConfig, FlipConfig, RotateConfig
from cnnbench.data.augment.draws import row_width
from cnnbench.data.augment.operations import OPERATIONS


def test_a_row_holds_the_operations_after_the_crop_that_may_act():
    order = ["rotate", "crop", "flip", "erase"]
    acting = AugmentConfig(order=order, rotate=RotateConfig(p=1.0), flip=FlipConfig(p=0.5), erase=EraseConfig(p=0.1))
    assert row_width(acting) == 2 + OPERATIONS["flip"].parameters + OPERATIONS["erase"].parameters
    idle = AugmentConfig(order=order, rotate=RotateConfig(p=1.0), flip=FlipConfig(p=0.5), erase=EraseConfig(p=0.0))
    assert row_width(idle) == 1 + OPERATIONS["flip"].parameters
