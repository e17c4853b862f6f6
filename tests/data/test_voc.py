"""Pascal VOC to YOLO, on annotations of one box."""

import pytest

from cnx_tutorial.data.voc import voc_to_yolo

NAMES = ("Platelets", "RBC", "WBC")
XML = """<annotation><size><width>200</width><height>100</height></size><object><name>{name}</name><bndbox>
<xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object></annotation>"""


def convert(tmp_path, *corners, name="RBC", text=XML):
    file = tmp_path / "cell.xml"
    file.write_text(text.format(*corners, name=name), encoding="utf-8")
    return voc_to_yolo(file, NAMES)


def test_corners_become_centre_and_size(tmp_path):
    assert convert(tmp_path, 20, 10, 60, 50) == (["1 0.200000 0.300000 0.200000 0.400000"], [])


def test_a_box_is_cut_at_the_border(tmp_path):
    assert convert(tmp_path, -20, 50, 20, 150)[0] == ["1 0.050000 0.750000 0.100000 0.500000"]


@pytest.mark.parametrize("corners", [(5, 5, 5, 9), (5, 9, 8, 9), (210, 5, 230, 9)])
def test_a_box_without_area_is_dropped_and_told(corners, tmp_path):
    lines, dropped = convert(tmp_path, *corners)
    assert not lines and "RBC box without area" in dropped[0] and ", ".join(map(str, corners)) in dropped[0]


@pytest.mark.parametrize("corners", [(60, 10, 20, 50), (20, 50, 60, 10), (60, 50, 20, 10)])
def test_corners_in_the_wrong_order_are_exchanged(corners, tmp_path):
    assert convert(tmp_path, *corners) == convert(tmp_path, 20, 10, 60, 50)


def test_blanks_around_a_name_are_taken_off(tmp_path):
    assert convert(tmp_path, 20, 10, 60, 50, name="\n  RBC ") == convert(tmp_path, 20, 10, 60, 50)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_corner_that_is_not_finite_is_refused(value, place, tmp_path):
    corners = [20, 10, 60, 50]
    corners[place] = value
    with pytest.raises(ValueError, match=r"cell\.xml is not a Pascal VOC annotation.*no place in an image"):
        convert(tmp_path, *corners)


def test_an_unknown_class_is_named_with_its_file(tmp_path):
    with pytest.raises(ValueError, match=r"cell\.xml.*'Cat'.*Platelets, RBC, WBC"):
        convert(tmp_path, 1, 1, 5, 5, name="Cat")


SIZES = [XML.replace("200", size) for size in ("wide", "0", "-5", "nan", "inf", "1e9")]


@pytest.mark.parametrize("text", ["", "<annotation>", "<annotation/>", *SIZES])
def test_what_is_no_annotation_is_named(text, tmp_path):
    with pytest.raises(ValueError, match=r"cell\.xml is not a Pascal VOC annotation"):
        convert(tmp_path, 1, 1, 5, 5, text=text)


def test_text_for_a_corner_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"cell\.xml is not a Pascal VOC annotation.*left"):
        convert(tmp_path, "left", 1, 5, 5)
