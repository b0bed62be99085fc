"""Lists as programs write them: every form says the same of the same images."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnbench.config.data import DataConfig
from cnnbench.data.layouts.ilsvrc import class_names
from cnnbench.data.layouts.read import find_layout, read_split
from cnnbench.data.layouts.relabel import exclude, image_name, relabel
from cnnbench.data.layouts.split import Split
from cnnbench.runtime.errors import UserError

CAFE = "caf\u00e9"  # in normal form C; macOS writes e and an accent
CAFE_D = "cafe\u0301"


@pytest.fixture
def flat(tmp_path: Path, cache: Path) -> Callable[..., Split]:
    """The val split of two flat images, `a b.jpg` and `b.jpg`, by a list; train has two classes."""

    def make(name: str, content: str | bytes, images=("a b.jpg", "b.jpg"), classes=("cat", "dog, hot")) -> Split:
        for place in (*(f"train/{one}/1.jpg" for one in classes), *(f"val/{image}" for image in images)):
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place).write_bytes(b"x")
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_split(DataConfig(path=str(tmp_path)), "val")

    return make


def said(split: Split) -> dict[str, str]:
    return {os.path.basename(split.name(i)): split.classes[label] for i, label in enumerate(split.labels)}


RIGHT = {"a b.jpg": "dog, hot", "b.jpg": "cat"}
FORMS = {
    "commas": 'a b.jpg,"dog, hot"\nb.jpg,cat\n',
    "excel": b'\xef\xbb\xbfa b.jpg,"dog, hot"\r\nb.jpg,cat\r\n',
    "semicolons": "a b.jpg;dog, hot\nb.jpg;cat\n",
    "tabs": "Filename\tLabel\na b.jpg\tdog, hot\nb.jpg\tcat\n",
    "blanks after commas": 'file, class\na b.jpg, "dog, hot"\nb.jpg, cat\n',
    "R": '"","file","class"\n"1","a b.jpg","dog, hot"\n"2","b.jpg","cat"\n',
    "R write.table": '"file" "class"\n"1" "a b.jpg" "dog, hot"\n"2" "b.jpg" "cat"\n',
    "R without a name for the numbers": '"file","class"\n"1","a b.jpg","dog, hot"\n"2","b.jpg","cat"\n',
    "pandas": ',file,class\n0,a b.jpg,"dog, hot"\n1,b.jpg,cat\n',
    "pandas without header": '0,a b.jpg,"dog, hot"\n1,b.jpg,cat\n',
    "class first": '"dog, hot",a b.jpg\ncat,b.jpg\n',
    "more columns": 'width,height,filename,split,class_name\n3,4,a b.jpg,val,"dog, hot"\n3,4,b.jpg,val,cat\n',
    "UTF-16": 'a b.jpg,"dog, hot"\r\nb.jpg,cat\r\n'.encode("utf-16"),
    "UTF-16 without a mark": 'a b.jpg,"dog, hot"\r\nb.jpg,cat\r\n'.encode("utf-16-le"),
    "old Macs": b'a b.jpg,"dog, hot"\rb.jpg,cat\r',
    "blanks": "a b.jpg dog, hot\nb.jpg cat\n",
    "without endings": 'a b,"dog, hot"\nb,cat\n',
    "paths": 'train/b.jpg,"dog, hot"\nval/a b.jpg,"dog, hot"\nval/b.jpg,cat\n',
    "paths of another system": 'D:\\images\\a b.jpg;"dog, hot"\nD:\\images\\b.jpg;cat\n',
    "numbers of the folders": "a b.jpg,1\nb.jpg,0\n",
}
JSON_FORMS = (
    {"a b.jpg": "dog, hot", "b.jpg": "cat"},
    {"cat": ["b.jpg"], "dog, hot": ["a b.jpg"]},
    [["a b.jpg", "dog, hot"], ["b.jpg", "cat"]],
    [{"id": 7, "file": "a b.jpg", "class": "dog, hot"}, {"id": 8, "file": "b.jpg", "class": "cat"}],
    {"file": {"0": "a b.jpg", "1": "b.jpg"}, "class": {"0": "dog, hot", "1": "cat"}},
    {"file": ["a b.jpg", "b.jpg"], "class": ["dog, hot", "cat"]},
    ["dog, hot", "cat"],
)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table(flat, form):
    assert said(flat("val.csv", FORMS[form])) == RIGHT


@pytest.mark.parametrize("content", JSON_FORMS)
def test_every_form_of_json(flat, content):
    assert said(flat("val.json", json.dumps(content))) == RIGHT


def test_lines_of_json(flat):
    lines = '{"image": "a b.jpg", "label": "dog, hot"}\n{"image": "b.jpg", "label": "cat"}\n'
    assert said(flat("val.json", lines)) == RIGHT


def test_the_whole_name_of_a_file_decides(flat):
    images = ("a.jpg", "a.png", "b.jpg")
    split = flat("val.csv", "a.jpg,cat\na.png,dog\nb.jpg,cat\n", images)
    assert said(split) == {"a.jpg": "cat", "a.png": "dog", "b.jpg": "cat"}
    with pytest.raises(UserError, match=r"has no class for 1 of 3 images, the first is a.png, did you mean a.jpg"):
        flat("val.csv", "a.jpg,cat\nb.jpg,cat\n", images)
    split = flat("val.csv", "a,cat\na.png,dog\nb,cat\n", images)
    assert said(split) == {"a.jpg": "cat", "a.png": "dog", "b.jpg": "cat"}, "a name without an ending is for the others"


@pytest.mark.parametrize(
    "content",
    [
        "a b.jpg,cat\na b.jpg,dog\nb.jpg,cat\n",
        "a b.jpg,cat\n./a b.jpg,dog\nb.jpg,cat\n",
        "a b.jpg,cat\nval/a b.jpg,dog\nb.jpg,cat\n",
        "a b,cat\na b,dog\nb,cat\n",
    ],
)
def test_a_list_that_contradicts_itself_is_refused(flat, content):
    with pytest.raises(UserError, match=r"val.csv contradicts itself: it has .*a b.*'(cat' and 'dog|dog' and 'cat)'"):
        flat("val.csv", content)


def test_lines_that_repeat_and_lines_without_an_image_are_counted(flat):
    split = flat("val.csv", "file,class\nb.jpg,cat\nb.jpg,cat\na b.jpg,cat\nc.jpg,dog\n")
    assert split.account.in_words(2) == (
        "2 images used, left out: lines of the list without an image 1 (c.jpg), repeated lines of the list 1"
    )


def test_numbers_are_names_of_folders_before_they_are_ilsvrcs(flat):
    classes = ("00000", "00001", "00010")
    gtsrb = "Filename;Width;Height;Roi.X1;ClassId\na b.jpg;5;6;1;10\nb.jpg;5;6;2;0\n"
    assert said(flat("val.csv", gtsrb, classes=classes)) == {"a b.jpg": "00010", "b.jpg": "00000"}
    with pytest.raises(UserError, match="class number 7: it should be a number from 0 to 10"):
        flat("val.csv", "a b.jpg,7\nb.jpg,0\n", classes=classes)


def test_numbers_that_count_ones_own_classes_are_a_guess_that_is_said(flat):
    split = flat("val.csv", FORMS["numbers of the folders"])
    assert split.account.in_words(2).endswith("the numbers of val.csv count the class folders of train from 0")
    with pytest.raises(UserError, match="class number 2: it should be a number from 0 to 1"):
        flat("val.csv", "a b.jpg,2\nb.jpg,0\n")


def test_numbers_are_ilsvrcs_where_the_folders_are(flat):
    wnids = tuple(class_names())[5:7]
    assert said(flat("val.txt", "a b.jpg 5\nb.jpg 6\n", classes=wnids)) == dict(zip(RIGHT, wnids, strict=True))


def test_a_wordnet_id_counts_for_more_than_other_columns(flat):
    wnids = tuple(class_names())[5:7]
    lines = f"class,file,wnid,label\nshark,a b.jpg,{wnids[0]},490\nray,b.jpg,{wnids[1]},1\n"
    assert said(flat("val.csv", lines, classes=wnids)) == dict(zip(RIGHT, wnids, strict=True))


def test_two_files_whose_names_differ_in_normal_form_alone_have_their_own_lines(flat):
    names = (f"{CAFE}.jpg", f"{CAFE_D}.jpg")
    assert said(flat("val.csv", f"{names[0]},cat\n{names[1]},dog\n", names)) == dict(
        zip(names, ("cat", "dog"), strict=True)
    )


@pytest.mark.parametrize("folder", [CAFE, CAFE_D])
@pytest.mark.parametrize("word", [CAFE, CAFE_D])
def test_names_are_the_same_in_each_normal_form(flat, folder, word):
    split = flat("val.csv", f"{word}.jpg,{word}\n", (f"{folder}.jpg",), (folder, "cat"))
    assert split.classes[split.labels[0]] == CAFE
    train = read_split(DataConfig(path=str(Path(split.name(0)).parents[1])), "train", (word, "cat"))
    assert train.classes == (word, "cat"), "the classes of a run stay as the run has them"
    assert sorted(train.labels.tolist()) == [0, 1]


def test_folders_that_differ_in_normal_form_alone_are_one_class(tmp_path, cache):
    for folder, name in ((CAFE, "1.jpg"), (CAFE_D, "2.jpg"), ("cat", "3.jpg")):
        (tmp_path / "train" / folder).mkdir(parents=True)
        (tmp_path / "train" / folder / name).write_bytes(b"x")
    split = read_split(DataConfig(path=str(tmp_path)), "train")
    assert (split.classes, split.labels.tolist()) == ((CAFE, "cat"), [0, 0, 1])
    assert all(os.path.exists(split.name(index)) for index in range(3))


def test_latin_1_is_the_last_resort_and_said(flat):
    name = os.fsdecode(b"caf\xe9.jpg")
    split = flat("val.csv", b"caf\xe9.jpg,caf\xe9\n", (name,), (CAFE,))
    assert (split.classes, said(split)[name]) == ((CAFE,), CAFE)
    assert "val.csv is not UTF-8: read as Latin-1" in split.account.in_words(1)
    assert said(flat("val.csv", f"{CAFE}.jpg,{CAFE}\n", (name,), (CAFE,)))[name] == CAFE, (
        "and a list in UTF-8 finds the file too"
    )


@pytest.mark.parametrize(
    "content",
    [
        "dog, hot\ncat\n",
        '"class"\n"dog, hot"\n"cat"\n',
        b'\xef\xbb\xbf"dog, hot"\r\ncat\r\n',
        '"","x"\n"1","dog, hot"\n"2","cat"\n',
        '"x"\n"1","dog, hot"\n"2","cat"\n',
        ',class\n0,"dog, hot"\n1,cat\n',
        "cat\t1\ndog, hot\t0\n",
        '["dog, hot", "cat"]',
        '{"cat": 1, "dog, hot": 0}',
        '{"0": "dog, hot", "1": "cat"}',
        '{"0": ["n1", "dog, hot"], "1": ["n2", "cat"]}',
        "dog, hot\ncat\n".encode("utf-16"),
    ],
)
def test_every_form_of_a_list_of_classes(flat, tmp_path, content):
    root = str(Path(flat("val.csv", FORMS["commas"]).name(0)).parents[1])
    (tmp_path / "classes").write_bytes(content if isinstance(content, bytes) else content.encode())
    split = read_split(DataConfig(path=root, classes=str(tmp_path / "classes")), "train")
    assert split.classes == ("dog, hot", "cat")


@pytest.mark.parametrize(
    "content",
    [
        "a b.jpg\n",
        '"name"\n"a b.jpg"\n',
        ",file\n0,a b.jpg\n",
        "val/a b.jpg",
        b"\xef\xbb\xbfa b.jpg\r\n",
        '["a b.jpg"]',
    ],
)
def test_every_form_of_a_list_of_images_to_leave_out(flat, tmp_path, content):
    split = flat("val.csv", FORMS["commas"])
    (tmp_path / "list").write_bytes(content if isinstance(content, bytes) else content.encode())
    left = exclude(split, str(tmp_path / "list"))
    assert said(left) == {"b.jpg": "cat"}
    assert "images that exclude= names 1" in left.account.in_words(1)


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"numbers of the folders", "paths"}))
def test_every_form_of_a_table_of_labels(flat, tmp_path, form):
    split = flat("val.csv", "a b.jpg,cat\nb.jpg,cat\n")
    content = FORMS[form]
    (tmp_path / "list").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert said(relabel(split, str(tmp_path / "list"), ("cat", "dog, hot"))[0]) == RIGHT


def test_an_image_is_known_by_its_whole_path(tmp_path, cache):
    wnids = tuple(class_names())[:2]
    for wnid in wnids:
        (tmp_path / "val" / wnid / "images").mkdir(parents=True)
        (tmp_path / "val" / wnid / "images/1.JPEG").write_bytes(b"x")
    split = read_split(DataConfig(path=str(tmp_path)), "val")
    assert [image_name(split, index) for index in range(2)] == [f"{wnid}/images/1.JPEG" for wnid in wnids]
    (tmp_path / "list").write_text("images/1.JPEG\n")
    with pytest.raises(UserError, match=r"'images/1.JPEG' could be n01440764/images/1.JPEG or n014.*: write CLASS"):
        exclude(split, str(tmp_path / "list"))
    (tmp_path / "list").write_text(f"{wnids[1]}/images/1.JPEG\n")
    assert exclude(split, str(tmp_path / "list")).numbers.tolist() == [0]


WNID_FORMS = ("{wnid}_{number}.JPEG", "ILSVRC2012_val_{number:08}_{wnid}.JPEG", "{wnid}_{number}_{wnid}.JPEG")


@pytest.mark.parametrize("form", WNID_FORMS)
def test_flat_folders_whose_files_are_named_by_wordnet_ids(tmp_path, cache, form):
    wnids = tuple(class_names())[:2]
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        for number, wnid in enumerate(wnids):
            (tmp_path / split / form.format(wnid=wnid, number=number)).write_bytes(b"x")
    assert find_layout(tmp_path) == "flat folders"
    assert [set(said(read_split(DataConfig(path=str(tmp_path)), split)).values()) for split in ("train", "val")] == [
        {*wnids},
        {*wnids},
    ]
    assert read_split(DataConfig(path=str(tmp_path / "val")), "val").classes == wnids, "also without val/ above them"


def test_images_in_a_folder_of_their_own_beside_their_list(tmp_path, cache):
    """As in Tiny ImageNet."""
    for place in ("train/n01440764/images/a.JPEG", "val/images/val_0.JPEG", "val/images/val_1.JPEG"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(b"x")
    lines = "val_0.JPEG\tn01440764\t0\t32\t44\t62\nval_1.JPEG\tn01443537\t52\t55\t57\t59\n"
    (tmp_path / "val/val_annotations.txt").write_text(lines)
    split = read_split(DataConfig(path=str(tmp_path)), "val")
    assert said(split) == {"val_0.JPEG": "n01440764", "val_1.JPEG": "n01443537"}
    assert read_split(DataConfig(path=str(tmp_path)), "train").classes == ("n01440764",)


def test_two_images_among_the_lines_of_a_long_list(flat):
    others = [f"{number},other{number}.jpg,cow,val" for number in range(5000)]
    split = flat("val.csv", "\n".join([*others[:777], "7,b.jpg,cat,val", '8,a b.jpg,"dog, hot",val', *others[777:]]))
    assert said(split) == RIGHT
    assert (
        "lines of the list without an image 5,000 (other0.jpg, other1.jpg, other2.jpg ...)" in split.account.in_words(2)
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("image,size,nr\na b.jpg,0,1\nb.jpg,0,0\n", r"could be the class \(column 2 \('size'\), column 3 \('nr'\)\)"),
        ("a b.jpg,5,1\nb.jpg,6,0\n", r"could be the class \(column 2, column 3\): call the right one 'class'"),
        (
            "image_id,cat,dog\na b.jpg,0,1\nb.jpg,1,0\n",
            r"of 0 and 1 for each class \(column 2 \('cat'\), .*CLASS",
        ),
        ("file,label,class_id\na b.jpg,cat,1\nb.jpg,cat,0\nc.jpg,dog,0\n", r"column 2 \('label'\) and column 3"),
    ],
)
def test_a_class_is_not_taken_by_a_guess_between_columns(flat, content, sentence):
    with pytest.raises(UserError, match=rf"val.csv .*{sentence}"):
        flat("val.csv", content, ("a b.jpg", "b.jpg", "c.jpg") if "c.jpg" in content else ("a b.jpg", "b.jpg"))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("val.csv", "# mine\na b.jpg,cat\nb.jpg,cat\n", r"val.csv names none of the 2 images.* first line is '# mine'"),
        ("val.csv", "a b.JPG,cat\nb.JPG,cat\n", r"names none .* a b.jpg: write FILE,CLASS .* is 'a b.JPG,cat'"),
        ("val.json", '{"images": [{"id": 0}], "categories": []}', r"val.json names none of the 2 images"),
        ("val.csv", b"PK\x03\x04" + bytes(99), r"val.csv cannot be read: it is a workbook of Excel .* save it as CSV"),
        ("val.csv", b"\xd8\0" * 99 + b"\xd8", r"val.csv cannot be read: it is not a text file"),
        ("val.csv", "a b.jpg,\nb.jpg,cat\n", r"val.csv has a line with the class '': write the class of each image"),
        ("val.csv", "a b.jpg,NaN\nb.jpg,cat\n", r"val.csv has a line with the class 'NaN'"),
        ("val.xlsx", b"PK", r"has no list of their classes: .*val.xlsx is not read: save it as CSV"),
        ("val.csv.gz", b"\x1f\x8b", r"has no list of their classes: .*val.csv.gz is not read"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(flat, name, content, sentence):
    with pytest.raises(UserError, match=sentence):
        flat(name, content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("val.csv", "file,label\na b.jpg,1.0\nb.jpg,0.0\n"),
        ("val/metadata.csv", 'file_name,label\na b.jpg,"dog, hot"\nb.jpg,cat\n'),
        ("val/metadata.jsonl", '{"file_name": "a b.jpg", "label": 1}\n{"file_name": "b.jpg", "label": 0}\n'),
        ("val.jsonl", '{"file_name": "a b.jpg", "label": "dog, hot"}\n{"file_name": "b.jpg", "label": "cat"}\n'),
    ],
)
def test_lists_of_pandas_and_hugging_face(flat, name, content):
    assert said(flat(name, content)) == RIGHT


def test_a_class_that_the_list_writes_otherwise_is_shown_with_the_list(flat, tmp_path):
    data = DataConfig(path=str(tmp_path), classes=str(tmp_path / "classes"))
    (tmp_path / "classes").write_text("cat\n")
    assert flat("val.csv", "a b.jpg,CAT\nb.jpg,CAT\n").classes == ("CAT",)
    with pytest.raises(UserError, match=r"which is not one of the 1 classes known, did you mean cat\?"):
        read_split(DataConfig(path=str(tmp_path)), "val", ("cat",))
    with pytest.raises(UserError, match=r"not a class of .*val \(classes by .*val.csv\), did you mean CAT\?"):
        read_split(data, "val")


@pytest.mark.parametrize("content", ["names:\n  0: cat\n  1: dog\n", "0 cat\n1 dog\n", "cat 0\ndog 1\n", "- cat\n"])
def test_a_list_of_classes_with_more_than_names_says_the_fix(flat, tmp_path, content):
    flat("val.csv", "a b.jpg,cat\nb.jpg,dog\n", classes=("cat", "dog"))
    (tmp_path / "classes").write_text(content)
    with pytest.raises(UserError, match=r"names '.*', which is .*: write one name per line, alone"):
        read_split(DataConfig(path=str(tmp_path), classes=str(tmp_path / "classes")), "train")


def test_which_list_and_which_column_were_read_is_said(flat, tmp_path):
    (tmp_path / "val_labels.csv").write_text("a b.jpg,cat\nb.jpg,cat\n")
    split = flat("val.csv", "file,width,nr\na b.jpg,7,cat\nb.jpg,8,cat\n")
    assert split.account.notes == (
        "classes by column 3 ('nr') of val.csv",
        "classes by the list val.csv, not by val_labels.csv",
    )


def test_a_list_of_files_alone_is_refused(flat):
    with pytest.raises(UserError, match="names of files, and no class beside them"):
        flat("val.csv", "a.jpg\nb.jpg\n", ("a.jpg", "b.jpg"))


def test_a_list_with_names_counts_for_more_than_the_names_of_the_files(tmp_path, cache):
    (tmp_path / "val").mkdir()
    (tmp_path / "val/n01440764_1.JPEG").write_bytes(b"x")
    (tmp_path / "val.csv").write_text("n01440764_1.JPEG,fish\n")
    assert read_split(DataConfig(path=str(tmp_path)), "val").classes == ("fish",)
    (tmp_path / "val.csv").write_text("other.JPEG,fish\n")
    split = read_split(DataConfig(path=str(tmp_path)), "val")
    assert split.classes == ("n01440764",)
    assert split.account.notes == ("val.csv names none of the images: classes by their names",)
    (tmp_path / "val.csv").unlink()
    (tmp_path / "val/other.JPEG").write_bytes(b"x")
    with pytest.raises(UserError, match="no list of their classes"):
        read_split(DataConfig(path=str(tmp_path)), "val")
