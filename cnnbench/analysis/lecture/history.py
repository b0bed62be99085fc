"""ILSVRC itself: its data, its tasks and who won it. Published facts, of the competition's papers and result pages."""

from __future__ import annotations

from cnnbench.analysis.tables import Table

# Years, task, classes, images for training, validation and test: Russakovsky et al. 2015 (1409.0575), Tables 2 and 4.
TASKS = (
    ("2010", "classification", 1000, 1_261_406, 50_000, 150_000),
    ("2011", "classification; localisation as a trial", 1000, 1_229_413, 50_000, 100_000),
    ("2012 - 2017", "classification and localisation", 1000, 1_281_167, 50_000, 100_000),
    ("2013", "detection", 200, 395_909, 20_121, 40_152),
    ("2014 - 2017", "detection", 200, 456_567, 20_121, 40_152),
)

# Year, winner of classification (provided data), the method, top-5 error on the test images (percent), ours or None.
WINNERS = (
    (2010, "NEC-UIUC", "SIFT and LBP features, linear SVMs", 28.2, None),
    (2011, "XRCE", "Fisher vectors, linear SVMs", 25.8, None),
    (2012, "SuperVision", "AlexNet: five networks", 16.4, "alexnet"),
    (2013, "Clarifai", "networks in the manner of ZFNet", 11.7, "zfnet"),
    (2014, "GoogLeNet", "seven networks, 144 crops", 6.7, "googlenet"),
    (2015, "MSRA", "ResNet: six networks", 3.57, "resnet152_v1"),
    (2016, "Trimps-Soushen", "Inception, Inception-ResNet, ResNet, Wide ResNet together", 2.99, None),
    (2017, "WMW", "SENet", 2.25, None),
)
# He et al. 2016, appendices A to C; ILSVRC's and COCO's result pages of 2015: track, measure, first, second.
TRACKS = (
    ("ImageNet classification", "top-5 error", 3.57, None, '"ultra-deep" 152-layer nets'),
    ("ImageNet detection", "mAP", 62.07, 53.57, "16 % better than the second"),
    ("ImageNet localisation", "error", 9.02, 12.29, "27 % better than the second"),
    ("COCO detection", "mAP", 37.3, 33.5, "11 % better than the second"),
    ("COCO segmentation", "mAP", 28.2, 25.1, "12 % better than the second"),
)


def ilsvrc() -> list[Table]:
    """How many images and classes each year had, and for which task."""
    columns = {"year": "", "task": "", "classes": "", "training": "", "validation": "", "test": ""}
    notes = [
        "lecture: 2010 - 2017, classification and detection, 1000 classes, 1.2 million training images, 50 thousand "
        '"verification" (validation) and 150 thousand test images',
        "150,000 test images had 2010 alone; from 2011 on there are 100,000. Detection came in 2013, with 200 classes; "
        "localisation in 2011; detection in video in 2015",
        "what the networks here are tested on is the validation set of 2012, 50,000 images: the test labels are kept",
        "source: Russakovsky et al. 2015, Tables 2 and 4",
    ]
    return [Table("ILSVRC: images by year and task", columns, TASKS, notes)]


def winners_by_year() -> list[Table]:
    """The winning entry of each year in classification."""
    rows = []
    for before, (year, team, method, error, key) in zip((None, *WINNERS), WINNERS, strict=False):
        fewer = None if before is None else 100 * (1 - error / before[3])
        rows.append((year, team, method, error, fewer, key))
    columns = {
        "year": "d",
        "winner": "",
        "with": "",
        "top-5 error (%), test": "",
        "fewer errors than the year before (%)": ".0f",
        "one such network here": "",
    }
    notes = [
        "lecture, under AlexNet: 28.2 % in 2010 and 25.8 % in 2011: these are other teams' winners, without a network",
        "2012: 16.4 with the data provided; 15.3 with two networks pre-trained on all of ImageNet. 26.2 is the second "
        "team (ISI). 2013: 11.7; with more data 11.2",
        "2016 and 2017 are beyond the lecture's table; the sources are the competition's result pages",
    ]
    return [Table("Winners of ILSVRC classification", columns, rows, notes)]


def first_places() -> list[Table]:
    """ResNet's five first places of 2015, and what the slide's percentages are percentages of."""
    rows = [
        (track, measure, first, second, _better(first, second), says) for track, measure, first, second, says in TRACKS
    ]
    columns = {
        "track": "",
        "measure": "",
        "ResNet (%)": "",
        "second (%)": "",
        "relative difference (%)": ".0f",
        "lecture": "",
    }
    notes = [
        "published facts, of ILSVRC's and COCO's result pages of 2015 (test-std of COCO's segmentation, "
        "test-challenge)",
        "the lecture's percentages are relative: 62.1 against 53.6 mAP is 8.5 points",
        "features of deeper networks transfer: see the claim transfer",
    ]
    return [Table("First places in five tracks, 2015", columns, rows, notes)]


def localisation() -> list[Table]:
    """What localisation asks beyond classification, and which command draws where a network looks."""
    rows = [
        ("classification", "one of five answers is the class", "top-5 error", 3.57),
        ("localisation", "and its box overlaps the object's by half or more", "error", 9.02),
    ]
    columns = {"task": "", "right if": "", "measured as": "", "best of 2015 (%)": ".2f"}
    notes = [
        "lecture: other tasks reduce to image classification. A box may be had from a network that was trained on "
        "classes alone: the largest connected part above 20 % of the maximum of its class activation map (Zhou et al. "
        "2016, section 3.2: top-5 localisation error 43.0 with GoogLeNet-GAP)",
        "class activation and Grad-CAM of a picture are drawn by `cnnbench look`, and such boxes are scored against "
        "those of LOC_val_solution.csv by `cnnbench eval boxes=FILE`",
    ]
    return [Table("From classification to localisation", columns, rows, notes)]


def zfnet_filters() -> list[Table]:
    """What Zeiler and Fergus changed of AlexNet, and why."""
    rows = [
        ("first layer's filters", "11x11", "7x7", "extremely high and low frequencies, little between"),
        ("first layer's stride", "4", "2", "aliasing in the second layer's maps"),
        ("layers 3, 4 and 5", "384, 384, 256 in two groups", "384, 384, 256 dense; b: 512, 1024, 512", "one GPU"),
    ]
    columns = {"what": "", "AlexNet": "", "ZFNet": "", "what was seen": ""}
    notes = [
        "lecture: an improved version of AlexNet; 11x11, stride 4 became 7x7, stride 2. Section 4.1 of the paper: it "
        "was seen in AlexNet's own filters and deconvolutions",
        '"the number of filters increases as we go deeper": 96, 256, 384, 384, then 256 again, as in AlexNet',
        "filters of any layer, deconvolution, the nine patches that excite a map most, and occlusion: the command "
        "below",
    ]
    return [Table("From AlexNet to ZFNet", columns, rows, notes)]


def _better(first: float, second: float | None) -> float | None:
    return None if second is None else 100 * abs(first / second - 1)
