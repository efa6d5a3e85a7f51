"""Arrays stored by zarr, in both of its formats, with chunks coded by dinp; and chunks by themselves."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import dinp
from dinp.benchmarks.rd.arrays import depth, terrain
from dinp.chunks.chunk import TYPES, decode_chunk, encode_chunk
from dinp.cli.root import command

zarr = pytest.importorskip("zarr", minversion="3")
numcodecs = pytest.importorskip("numcodecs")

pytestmark = pytest.mark.filterwarnings("ignore:.*[Zz]arr.*specification")  # of codecs that are not in it

ARRAYS = {
    "float32": terrain(70, 90),
    "uint16": depth(70, 90),
    "uint8": (depth(70, 90) // 256).astype(np.uint8),
}


def stored(path, array, form, max_error):
    """The array, written and opened again."""
    if form == 2:
        how = {"compressors": numcodecs.get_codec({"id": "dinp", "max_error": max_error}), "zarr_format": 2}
    else:
        from dinp.chunks.zarr import DinpCodec

        how = {"serializer": DinpCodec(max_error=max_error), "compressors": None, "zarr_format": 3}
    made = zarr.create_array(store=str(path), shape=array.shape, dtype=array.dtype, chunks=(48, 64), **how)
    made[:] = array
    return zarr.open_array(store=str(path), mode="r")


@pytest.mark.parametrize("form", [2, 3])
@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_exactly_or_within_the_error(tmp_path, form, name):
    array = ARRAYS[name]
    exact = stored(tmp_path / "exact", array, form, None)
    assert np.array_equal(exact[:], array)
    assert np.array_equal(exact[10:60, 50:80], array[10:60, 50:80])
    near = stored(tmp_path / "near", array, form, 2.0)
    assert near.dtype == array.dtype
    assert np.abs(near[:].astype(float) - array).max() <= 2.0
    sizes = [sum(f.stat().st_size for f in (tmp_path / n).rglob("*") if f.is_file()) for n in ("exact", "near")]
    assert sizes[1] <= sizes[0] + 8 < array.nbytes + 4000
    metadata = json.loads((tmp_path / "near" / (".zarray" if form == 2 else "zarr.json")).read_text())
    told = metadata["compressor"] if form == 2 else metadata["codecs"][0]["configuration"]
    assert told["max_error"] == 2.0


def test_the_registries_find_the_codec_by_its_name():
    from zarr.registry import get_codec_class

    assert type(numcodecs.get_codec({"id": "dinp"})).__name__ == "Dinp"
    assert get_codec_class("dinp").__name__ == "DinpCodec"


def test_xarray_like_chunks_of_one_plane(tmp_path):
    cube = np.stack([ARRAYS["float32"][:32, :40], ARRAYS["float32"][32:64, 40:80]])
    from dinp.chunks.zarr import DinpCodec

    made = zarr.create_array(
        store=str(tmp_path / "a"), data=cube, chunks=(1, 32, 40), serializer=DinpCodec(max_error=1), compressors=None
    )
    assert np.abs(made[:] - cube).max() <= 1
    with pytest.raises(dinp.DinpError, match="are no planes"):
        zarr.create_array(
            store=str(tmp_path / "b"), data=cube, chunks=(2, 32, 40), serializer=DinpCodec(), compressors=None
        )
    with pytest.raises(dinp.DinpError, match="cannot be coded"):
        zarr.create_array(store=str(tmp_path / "c"), data=cube.astype("i8"), chunks=(1, 9, 9), serializer=DinpCodec())


@pytest.mark.parametrize("dtype", TYPES)
def test_chunks_of_each_type_come_back(dtype):
    plane = (ARRAYS["float32"][:24, :30] / 8).astype(dtype)
    for chunk in (plane, plane.astype(plane.dtype.newbyteorder(">")), plane[:1], plane[:, :1], np.zeros_like(plane)):
        for max_error in (None, 1):
            found = decode_chunk(encode_chunk(chunk, max_error=max_error), chunk.shape)
            assert found.dtype == plane.dtype
            assert np.abs(found.astype(float) - chunk).max() <= (max_error or 0)


def test_what_is_no_number_is_kept():
    plane = ARRAYS["float32"][:24, :30].copy()
    plane[3:9, 4:8], plane[0, 0], plane[1, 1] = np.nan, np.inf, -np.inf
    for max_error in (None, 0.5):
        found = decode_chunk(encode_chunk(plane, max_error=max_error))
        assert np.array_equal(np.isfinite(found), np.isfinite(plane))
        assert np.array_equal(found[~np.isfinite(plane)], plane[~np.isfinite(plane)], equal_nan=True)
        finite = np.isfinite(plane)
        assert np.abs(found[finite] - plane[finite]).max() <= (max_error or 0)
        nothing = np.full((8, 9), np.nan, np.float32)
        assert np.isnan(decode_chunk(encode_chunk(nothing, max_error=max_error))).all()


def test_a_hole_is_kept_and_no_sample_becomes_one():
    plane = ARRAYS["uint16"].copy()
    plane[40:50, 40:50] = 3
    assert (plane == 0).any()
    for effort in (1, 2):
        found = decode_chunk(encode_chunk(plane[20:60, 20:60], max_error=5, hole=0, effort=effort))
        assert np.array_equal(found == 0, plane[20:60, 20:60] == 0)
        assert np.abs(found.astype(int) - plane[20:60, 20:60]).max() <= 5


def test_noise_is_never_much_larger_than_it_was():
    noise = np.random.default_rng(0).normal(size=(40, 40))
    data = encode_chunk(noise)
    assert len(data) < noise.nbytes + 64
    assert np.array_equal(decode_chunk(data), noise)


def head_of_steps(**changed):
    """A chunk of steps whose head says something else."""
    head = {"type": "int32", "low": 0, "step": 1, "marks": []} | changed
    content = dinp.encode(np.zeros((2, 2), dtype=np.uint8), lossless=True)
    return b"\1" + json.dumps(head).encode() + b"\0" + content


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"\0",
        b'\0{"type":"float32","shape":[9,9]}\0',
        b'\0{"type":"object","shape":[1,1]}\0x',
        b"\x8ddin\r\n",
        b'\1{"type":"uint8"}\0',
        b"\0[]\0",
        b"\0" + b"[" * 100_000 + b"\0",
        head_of_steps(low=float("nan")),
        head_of_steps(marks=["inf"]),
    ],
)
def test_damaged_chunks_are_told(data):
    with pytest.raises(dinp.DinpError):
        decode_chunk(data)


def test_a_chunk_cut_off_is_told():
    data = encode_chunk(np.random.default_rng(0).normal(size=(20, 20)))
    for size in range(0, len(data), 97):
        with pytest.raises(dinp.DinpError):
            decode_chunk(data[:size])


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "1", True])
def test_errors_that_are_none_are_refused(wrong):
    with pytest.raises(dinp.DinpError, match="max_error must be"):
        numcodecs.get_codec({"id": "dinp", "max_error": wrong})


def test_the_benchmark(tmp_path):
    out = tmp_path / "arrays.json"
    result = CliRunner().invoke(command, ["bench", "arrays", "--out", str(out), "--side", "48"])
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    assert {row["array"] for row in report["results"]} == {"terrain", "terrain_uint16", "depth"}
    for row in report["results"]:
        assert row["bytes"] is None or row["bytes"] > 20
        assert row["largest_error"] is None or row["largest_error"] <= (row["max_error"] or 0) + 1e-6
    assert {row["codec"] for row in report["results"]} >= {"dinp", "blosc-zstd", "jpegxl"}
