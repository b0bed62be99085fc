"""What the pictures are made of: levels, tiles, axes, and how much is drawn by default."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_networks import small_images, small_network

from cnnbench.analysis.look.draw import filters, landscape, layers, occlusion, receptive_field
from cnnbench.analysis.look.draw.drawn import enlarged, lit, logarithmic, scale, short, signed, tile_sheet, told
from cnnbench.analysis.look.occlusion import Occlusion, Square
from cnnbench.analysis.report import style
from cnnbench.config.look import LookConfig


def test_zero_is_mid_grey_and_the_largest_hundredth_is_cut():
    pixels = torch.zeros(1, 20, 20)
    pixels[0, :10] = torch.linspace(-1, 1, 200).view(10, 20)
    pixels[0, 0, 0] = -1000
    image = signed(pixels)
    assert image.shape == (20, 20, 1)
    assert (image[10:] == 0.5).all()
    assert image[0, 0, 0] == 0
    cut = np.quantile(np.abs(pixels[pixels != 0].numpy().astype(float)), 0.99)
    assert image[9, 10, 0] == pytest.approx(0.5 + 0.5 * pixels[0, 9, 10].item() / cut)
    assert (signed(torch.zeros(3, 2, 2)) == 0.5).all()


def test_a_map_is_enlarged_between_its_places_and_lights_the_image():
    heat = enlarged(torch.tensor([[0.0, 4.0], [-4.0, 2.0]]), 8)
    assert heat.shape == (8, 8)
    assert (heat[0, 7], heat[7, 7], heat[7, 0], heat.min()) == (1, 0.5, 0, 0)
    assert 0 < heat[0, 3] < heat[0, 4] < 1
    light = lit(np.full((8, 8, 3), 255, np.uint8), heat)
    assert light[0, 7].tolist() == [1, 1, 1]
    assert light[7, 0].tolist() == pytest.approx([0.15, 0.15, 0.15])
    assert not enlarged(torch.full((2, 2), -1.0), 4).any()


def test_tiles_stand_in_rows_with_white_between_and_keep_their_shape():
    black, wide = np.zeros((4, 4, 1), np.uint8), np.zeros((2, 4, 3))
    sheet = tile_sheet([black, wide, black], 2, side=8, gap=2)
    assert sheet.shape == (18, 18, 3)
    assert not sheet[:8, :8].any()
    assert (sheet[:, 8:10] == 1).all()
    assert not sheet[2:6, 10:].any()
    assert (sheet[:2, 10:] == 1).all()
    assert (sheet[10:, 10:] == 1).all()


@pytest.mark.parametrize(
    ("values", "log", "shown"), [((1, 9), False, "0"), ((1, 30), True, "2"), ((0.001, 10), True, "0.01")]
)
def test_axes_are_logarithmic_over_a_decade_and_have_plain_numbers(values, log, shown):
    with style.styled():
        figure = style.new_figure(3)
        axes = figure.subplots()
        axes.plot(values)
        scale(axes)
        figure.draw_without_rendering()
        labels = [label.get_text() for label in axes.get_yticklabels()]
    assert (axes.get_yscale() == "log") == log
    assert shown in labels or shown in [label.removesuffix(".0") for label in labels]
    assert not any("$" in label for label in labels)


def test_powers_of_ten_are_enough_on_a_long_axis():
    figure = style.new_figure(3)
    for axes, high, fives in zip(figure.subplots(1, 2), (200, 400), (True, False), strict=True):
        axes.set(yscale="log", ylim=(1, high))
        logarithmic(axes.yaxis)
        assert (5 in axes.get_yticks().round(6)) == fives


def test_names_too_near_to_each_other_give_way_to_the_longest_block():
    assert layers._apart([0, 3, 20, 21, 60, 99], 100) == [3, 21, 60, 99]
    assert layers._apart([0, 10, 20], 30) == [0, 10, 20]


def test_the_field_is_shown_beyond_the_image_where_its_end_is_near():
    assert receptive_field._reach(-10, 90, 100) == (-11.5, 99.5)
    assert receptive_field._reach(-36, 134, 100) == (-0.5, 134.5)
    assert receptive_field._reach(5, 136, 100) == (-0.5, 99.5)


@pytest.mark.parametrize(
    ("name", "keys", "expected"),
    [
        ("lenet", {}, (128, 21)),
        ("googlenet", {}, (8e12 / (9 * 9), 9)),
        ("lenet", {"points": 5, "landscape_images": 7}, (7, 5)),
    ],
)
def test_a_large_network_has_fewer_images_and_places(name, keys, expected, monkeypatch):
    network, image = small_network(name), small_images(name)
    subject = SimpleNamespace(network=network, side=image.shape[3], image=image, config=LookConfig(**keys))
    macs = 10**9 if name == "googlenet" else 10**6
    monkeypatch.setattr(landscape, "describe", lambda *_: SimpleNamespace(totals=SimpleNamespace(macs=macs)))
    images, points = landscape._affordable(subject)
    assert (images, points) == (expected if name == "lenet" else (int(expected[0] / macs), 9))
    monkeypatch.setattr(landscape, "describe", lambda *_: SimpleNamespace(totals=SimpleNamespace(macs=10**11)))
    assert landscape._affordable(subject)[0] == keys.get("landscape_images", 4)


def test_a_loss_over_a_wide_range_is_on_a_logarithmic_scale():
    assert landscape._steep(np.array([[1.0, 21.0]]))
    assert not landscape._steep(np.array([[1.0, 19.0]]))
    assert not landscape._steep(np.array([[0.0, 19.0]]))


def test_the_square_is_a_seventh_of_the_image_and_moves_by_a_sixteenth():
    default = occlusion.default_square(LookConfig(), 224)
    assert (default.side, default.stride) == (32, 14)
    given = occlusion.default_square(LookConfig(patch=5, stride=2), 224)
    assert (given.side, given.stride) == (5, 2)
    assert occlusion.default_square(LookConfig(), 6).side == 1
    assert occlusion.default_square(LookConfig(), 320).stride == 20


@pytest.mark.parametrize(("low", "high", "ends"), [(97.0, 98.0, (93.0, 98.0)), (0.1, 0.2, (0, 5)), (20, 60, (20, 60))])
def test_the_colours_of_a_probability_span_five_points_at_least(low, high, ends):
    values = np.array([[low, high]])
    found = Occlusion(np.array([0]), np.array([0, 4]), Square(4, 4), values, values.astype(int), values)
    figure = style.new_figure(3)
    axes = figure.subplots()
    occlusion._heat(figure, axes, found, values, "probability", "%")
    assert axes.images[0].get_clim() == ends
    assert axes.images[0].get_extent() == [-0.5, 7.5, 3.5, -0.5]


def test_a_deep_layer_shows_its_strongest_filters_and_of_each_the_strongest_inputs():
    weight = np.ones((20, 12, 3, 3)) * np.arange(1, 21)[:, None, None, None]
    weight[19, 4] = 500
    figure, caption = filters._deep("conv3", weight, None)
    assert caption.startswith("8 of the 20 filters of conv3, 3 x 3, those with the largest weights.")
    assert "the 10 of its 12 input channels" in caption
    assert [axes.get_title() for axes in figure.axes[:2]] == ["4", "0"]
    assert [axes.get_ylabel().strip() for axes in figure.axes[::10]] == [f"filter {n}" for n in range(19, 11, -1)]
    figure, caption = filters._deep("conv3", weight, 2)
    assert figure.axes[0].get_ylabel().strip() == "filter 2"
    assert "the one asked for first" in caption


def test_the_first_name_of_a_class_is_enough():
    assert short("tench") == "tench"
    assert short("a" * 30) == "a" * 27 + "…"


def test_a_probability_is_not_said_to_be_none_or_all():
    assert [told(each) for each in (0.0, 1e-9, 0.0501, 3.14, 99.9, 99.96, 100.0)] == (
        ["0.0", "< 0.1", "0.1", "3.1", "99.9", "> 99.9", "100.0"]
    )
