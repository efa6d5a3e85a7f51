"""Curves and BD-rates: hulls, interpolation, means, and figures that can be worked out by hand."""

import json

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from dinp.benchmarks.rd import tables
from dinp.benchmarks.rd.curves import HIGH, LOW, Curve, Series, bd_rate, curve_of, hull, load_measured, mean_curve
from dinp.errors import DinpError

RATES = np.array([0.02, 0.04, 0.08, 0.15, 0.3, 0.45, 0.8])
VALUES = np.array([24.0, 26.1, 27.7, 29.5, 32.0, 33.6, 36.1])


def series_of(points, **more):
    rows = tuple({"settings": index, "bpp": bpp, "psnr": psnr, **more} for index, (bpp, psnr) in enumerate(points))
    return Series("set", "grey", "jpeg", "a.png", "1", rows)


def test_hull_is_convex_in_rate_and_error():
    bpp = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.1])
    errors = np.array([10.0, 9.0, 4.0, 5.0, 3.0, 11.0])
    assert hull(bpp, errors).tolist() == [0, 2, 4]  # 1 lies above the line from 0 to 2, 3 above 2, 5 above 0


def test_hull_ends_at_the_least_error():
    assert hull(np.array([0.3, 0.1, 0.2]), np.array([6.0, 7.0, 5.0])).tolist() == [1, 2]


def test_hull_keeps_convex_points_in_any_order():
    rng = np.random.default_rng(1)
    bpp = rng.permutation(np.linspace(0.1, 1, 12))
    assert hull(bpp, 1 / bpp).tolist() == np.argsort(bpp).tolist()


def test_curve_passes_through_its_points_and_not_beyond():
    curve = curve_of(series_of(zip(RATES, VALUES, strict=True)))
    np.testing.assert_allclose(curve.at(RATES), VALUES)
    assert np.isnan(curve.at([0.019, 0.81])).all()
    between = curve.at(np.sqrt(RATES[1:] * RATES[:-1]))
    assert (between > VALUES[:-1]).all()
    assert (between < VALUES[1:]).all()


def test_curve_leaves_out_what_no_user_would_choose():
    worse = [(0.2, 27.0), (0.31, 31.9)]
    points = sorted([*zip(RATES, VALUES, strict=True), *worse])
    np.testing.assert_array_equal(curve_of(series_of(points)).bpp, RATES)


def test_curve_without_values():
    assert curve_of(series_of([(0.1, None)])) is None
    assert curve_of(series_of([(0.1, 30.0)]), "ssim") is None
    assert curve_of(series_of([(0.1, 30.0), (0.2, None)])).at(0.1) == 30.0


def test_cut_interpolates_the_ends():
    cut = Curve(RATES, VALUES).cut()
    np.testing.assert_allclose(cut.bpp, [LOW, 0.08, 0.15, 0.3, 0.45, HIGH])
    np.testing.assert_allclose(cut.values, Curve(RATES, VALUES).at(cut.bpp))
    np.testing.assert_allclose(Curve(RATES[3:5], VALUES[3:5]).cut().bpp, RATES[3:5])
    assert Curve(RATES[:2], VALUES[:2]).cut() is None


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.25])
def test_bd_rate_of_equal_quality_at_other_rates(factor):
    anchor, test = Curve(RATES, VALUES), Curve(factor * RATES, VALUES)
    assert bd_rate(anchor, test, 0.001, 10) == pytest.approx(100 * (factor - 1), abs=1e-9)
    assert bd_rate(anchor, test) == pytest.approx(100 * (factor - 1), abs=0.5)  # the cuts differ


def test_bd_rate_of_different_curves():
    """Against the definition, integrated on a fine grid."""
    anchor, test = Curve(RATES, VALUES), Curve(0.9 * RATES[1:], VALUES[1:] + np.linspace(-0.2, 0.7, 6))
    a, b = anchor.cut(), test.cut()
    values = np.linspace(max(a.values[0], b.values[0]), min(a.values[-1], b.values[-1]), 20001)
    logs = [PchipInterpolator(c.values, np.log10(c.bpp))(values) for c in (a, b)]
    difference = np.trapezoid(logs[1] - logs[0], values) / (values[-1] - values[0])
    assert bd_rate(anchor, test) == pytest.approx(100 * (10**difference - 1), abs=1e-4)
    assert bd_rate(anchor, test) < -10
    assert bd_rate(test, anchor) > 10


def test_bd_rate_without_common_values():
    assert bd_rate(Curve(RATES, VALUES), Curve(RATES, VALUES + 20)) is None
    assert bd_rate(Curve(RATES, VALUES), Curve(RATES[-1:], VALUES[-1:])) is None
    assert bd_rate(Curve(RATES, VALUES), None) is None


def test_mean_curve_is_taken_where_all_pictures_are():
    one, two = Curve(RATES, VALUES), Curve(RATES[2:6], VALUES[2:6] + 2)
    mean = mean_curve([one, two])
    assert (mean.bpp[0], mean.bpp[-1]) == (0.08, 0.45)
    np.testing.assert_allclose(mean.values, (one.at(mean.bpp) + two.at(mean.bpp)) / 2)
    assert mean_curve([one, Curve(RATES[-1:], VALUES[-1:])]) is None
    assert mean_curve([]) is None


def result(path, version, settings, sizes, picture="a.png", name="set"):
    values = [float(size) for size in sizes]
    one = {"codec": "jpeg", "mode": "grey", "picture": picture, "width": 10, "height": 8, "run": 0}
    one |= {"settings": settings, "bytes": sizes, "psnr": values}
    runs = [{"codecs": {"jpeg": version}, "date": version}]
    path.write_text(json.dumps({"benchmark": "rd", "set": name, "runs": runs, "series": [one]}))
    return path


def test_files_are_put_together(tmp_path):
    files = [
        result(tmp_path / "1", "1", [1, 3], [10, 30]),
        result(tmp_path / "2", "1", [3, 2], [31, 20]),
        result(tmp_path / "3", "1", [1], [10], picture="b.png"),
        result(tmp_path / "4", "1", [1], [10], name="other"),
    ]
    measured = load_measured(files)
    assert measured.groups() == [("set", "grey"), ("other", "grey")]
    pictures = measured.of(("set", "grey"))["jpeg"]
    assert [(row["settings"], row["bytes"], row["bpp"]) for row in pictures["a.png"].rows] == [
        (1, 10, 1.0),
        (2, 20, 2.0),
        (3, 31, 3.1),
    ]
    assert set(pictures) == {"a.png", "b.png"}
    newer = load_measured([*files, result(tmp_path / "5", "2", [2], [19])]).of(("set", "grey"))["jpeg"]
    assert [row["bytes"] for row in newer["a.png"].rows] == [19]
    assert len(newer["b.png"].rows) == 1


def test_files_of_something_else(tmp_path):
    (tmp_path / "x").write_text("[]")
    with pytest.raises(DinpError, match="no results"):
        load_measured([tmp_path / "x"])
    (tmp_path / "x").write_text('{"benchmark": "rd", "set": "a", "runs": [], "series": []}')
    with pytest.raises(DinpError, match="no measurements"):
        load_measured([tmp_path / "x"])


def test_gain_by_restoration_is_told_by_picture():
    plain = {"a.png": Curve(RATES, VALUES), "b.png": Curve(RATES[3:], VALUES[3:])}
    restored = {"a.png": Curve(RATES, VALUES + 1.0), "b.png": Curve(RATES[3:], VALUES[3:] - 0.5)}
    table = tables.gain_table("set, grey", restored, plain, "psnr")
    assert table.rows[1] == ("0.10", "+1.00", "+1.00", "+1.00", "1 of 2")
    assert table.rows[2] == ("0.20", "+0.25", "-0.50", "+1.00", "2 of 2")


def test_gain_over_the_same_file_plainly_decoded():
    plain, restored, same = ({"a.png": Curve(RATES, VALUES + more)} for more in (0.0, 1.0, -0.25))
    table = tables.gain_table("set, grey", restored, plain, "psnr", same)
    assert table.head[-4:] == ("same file: mean", "lowest", "highest", "pictures")
    assert table.rows[1] == ("0.10", *["+1.00"] * 3, "1 of 1", *["+1.25"] * 3, "1 of 1")
    assert "dinp decode --plain" in table.note


def test_every_codec_has_a_name_and_a_style():
    from dinp.benchmarks.rd import codecs, plots

    assert codecs.CODECS.keys() == plots.STYLES.keys()
    assert codecs.CODECS.keys() <= tables.TITLES.keys()


def test_gain_is_told_over_the_pictures_that_both_have():
    curve, better = (Curve(np.array([0.04, 0.6]), np.array([low, low + 10])) for low in (20.0, 21.0))
    found = tables.gain_table("t", {"a": better, "c": better}, {"a": curve, "b": curve}, "psnr")
    assert [row[1:] for row in found.rows][2] == ("+1.00", "+1.00", "+1.00", "1 of 2")
