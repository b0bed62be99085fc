"""The keys that a recipe decides, as far as they act."""

from composing import composed

from cnnbench.config.recipe_keys import acting_keys, operations


def test_only_what_acts_is_named():
    names = acting_keys(composed("arch=lenet", "recipe=quick"))
    assert {"optimizer.nesterov", "augment", "augment.shift.fraction", "schedule.warmup_start"} <= {*names}
    assert {"arch.options.sparse_c3", "arch.crop_ratio", "arch.bn_momentum"} <= {*names}
    assert not {"bce_threshold", "optimizer.betas", "augment.jitter.p", "augment.repeats", "optimizer.fused"} & {*names}
    assert not {"resolution.multiple", "average.decay", "arch.stochastic_depth_from", "augment.device"} & {*names}


def test_what_another_value_switches_on_is_named():
    switches = {
        "loss=bce": "bce_threshold",
        "augment.repeats=2": "augment.repeats",
        "average=ema": "average.decay",
        "optimizer=lamb": "optimizer.betas",
    }
    names = acting_keys(composed("arch=lenet", "recipe=quick", "batch=64", *switches))
    assert {*switches.values()} <= {*names}
    assert "schedule.warmup" not in acting_keys(composed("arch=lenet", "recipe=quick", "schedule.warmup_epochs=0"))
    assert "resolution.multiple" in acting_keys(composed("arch=resnet50", "recipe=a3"))
    assert "resolution.grow_from" in acting_keys(composed("arch=resnet50", "recipe=fast16"))
    assert "arch.stochastic_depth_from" in acting_keys(composed("arch=resnet50", "recipe=a1"))


def test_operations_come_in_their_order_and_mixing_after_them():
    augment = composed("arch=resnet50", "recipe=a1", "augment.order=[flip,crop,policy]").augment
    assert operations(augment) == ["flip", "crop", "policy", "mixup", "cutmix"]
