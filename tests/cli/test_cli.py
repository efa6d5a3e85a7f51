"""The command: files and pipes, what it tells, when it refuses, and that nothing is left behind."""

import errno
import importlib
import io
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import dinp
import dinp.kernels
from dinp import models
from dinp.cli import bench, lazy, progress, root, train, without_blas_threads
from dinp.pictures import files


@pytest.fixture(scope="module")
def picture():
    y, x = np.mgrid[:40, :50]
    return np.stack([4 * x, 5 * y, 100 + x + y], axis=2).astype(np.uint8)


@pytest.fixture(scope="module")
def coded(picture):
    return dinp.encode(picture)


@pytest.fixture
def folder(tmp_path, monkeypatch, picture, coded):
    """The current folder, with picture.png, coded.dinp and foreign.txt."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture).save("picture.png")
    (tmp_path / "coded.dinp").write_bytes(coded)
    (tmp_path / "foreign.txt").write_text("not a picture")
    return tmp_path


def dinp_command(*arguments, data=None):
    return CliRunner().invoke(root.command, list(arguments), input=data, prog_name="dinp")


def fails(sentence, *arguments, code=1, data=None):
    """Run a command that must fail with one sentence on stderr, and leave the folder as it was."""
    before = {name: os.stat(name).st_mtime_ns for name in os.listdir()}
    result = dinp_command(*arguments, data=data)
    assert result.exit_code == code, result.output
    assert result.stdout_bytes == b""
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    if code == 1:
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
    assert {name: os.stat(name).st_mtime_ns for name in os.listdir()} == before


def test_encode_and_decode_through_files(folder, picture, coded):
    result = dinp_command("encode", "picture.png", "new.dinp")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert (folder / "new.dinp").read_bytes() == coded
    for told in (f"{len(coded):,} bytes", f"{8 * len(coded) / 2000:.4f} bpp", "density", " s\n"):
        assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert "PSNR" not in result.stderr

    result = dinp_command("decode", "new.dinp", "new.png")
    assert (result.exit_code, result.output) == (0, "")
    np.testing.assert_array_equal(np.asarray(Image.open("new.png")), np.asarray(dinp.decode(coded)))


def test_encode_and_decode_through_pipes(folder, coded):
    result = dinp_command("encode", "-", "-", data=(folder / "picture.png").read_bytes())
    assert result.exit_code == 0
    assert result.stdout_bytes == coded
    result = dinp_command("decode", "-", "-", data=coded)
    assert result.exit_code == 0
    with Image.open(io.BytesIO(result.stdout_bytes)) as decoded:
        assert decoded.format == "PNG"
        np.testing.assert_array_equal(np.asarray(decoded), np.asarray(dinp.decode(coded)))


def test_quality(folder):
    sizes = []
    for quality in ("0", "33.3", "100"):
        assert dinp_command("encode", "-q", quality, "-f", "picture.png", "new.dinp").exit_code == 0
        sizes.append((folder / "new.dinp").stat().st_size)
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2]


def test_targets_and_effort(folder, coded):
    assert dinp_command("encode", "--target-size", "150", "picture.png", "new.dinp").exit_code == 0
    assert 120 <= (folder / "new.dinp").stat().st_size <= 150
    assert dinp_command("encode", "--target-bpp", "0.6", "-f", "picture.png", "new.dinp").exit_code == 0
    assert (folder / "new.dinp").stat().st_size <= 150
    result = dinp_command("encode", "--target-psnr", "30", "-f", "picture.png", "new.dinp")
    assert float(re.search(r"PSNR ([\d.]+) dB", result.stderr).group(1)) >= 30
    assert dinp_command("encode", "-e", "1", "-f", "picture.png", "new.dinp").exit_code == 0
    assert (folder / "new.dinp").read_bytes() != coded
    fails("are not a byte", "encode", "--target-bpp", "0.000001", "picture.png", "other.dinp")
    for options in (["-q", "5", "--target-size", "150"], ["--target-size", "0"], ["-e", "9"]):
        assert dinp_command("encode", *options, "picture.png", "other.dinp").exit_code == 2


def test_plain_does_without_restoration(folder):
    from skimage.data import camera

    Image.fromarray(camera()[60:188, 150:278]).save("photograph.png")
    for name, option in (("restored", []), ("plain", ["--plain"])):
        # at effort 1 no value looks ahead to the restoration: without it, the two files show the same
        encode = ("encode", *option, "-e", "1", "-q", "40")
        assert dinp_command(*encode, "photograph.png", f"{name}.dinp").exit_code == 0
    for name, told in (("restored", True), ("plain", False)):
        assert ("restoration 1" in dinp_command("info", f"{name}.dinp").stdout) == told
    for source in ("restored", "plain"):
        for option in ([], ["--plain"]):
            result = dinp_command("decode", *option, f"{source}.dinp", f"{source}{len(option)}.png")
            assert (result.exit_code, result.stderr) == (0, "")
    pictures = [np.asarray(Image.open(f"{name}.png")) for name in ("restored0", "restored1", "plain0", "plain1")]
    assert not np.array_equal(pictures[0], pictures[1])
    assert np.array_equal(pictures[1], pictures[2])
    assert np.array_equal(pictures[2], pictures[3])


def test_decoding_without_the_network_is_told(folder, monkeypatch):
    from skimage.data import camera

    def missing(version):
        raise dinp.DinpError("it is not there")

    (folder / "photograph.dinp").write_bytes(dinp.encode(camera()[60:188, 150:278].copy(), quality=40))
    monkeypatch.setattr(models, "ready_restoration", missing, raising=False)
    result = dinp_command("decode", "photograph.dinp", "photograph.png")
    assert (result.exit_code, result.stderr) == (0, "note: it is not there: the picture is shown without\n")


def test_a_mask_from_a_picture(folder, picture):
    mask = np.random.default_rng(0).random(np.shape(picture)[:2]) < 0.1
    Image.fromarray(mask).save("mask.png")
    assert dinp_command("encode", "--mask", "mask.png", "picture.png", "masked.dinp").exit_code == 0
    report = json.loads(dinp_command("info", "--json", "masked.dinp").stdout)
    assert report["planes"][0]["points"] == mask.sum()
    fails("is not a picture that Pillow can open", "encode", "--mask", "foreign.txt", "picture.png", "other.dinp")
    height, width = mask.shape
    faint = np.zeros((height, width, 4), dtype=np.uint8)
    faint[..., 2] = mask  # a blue that is almost black, and wholly transparent
    turned = Image.fromarray(np.rot90(mask).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    Image.fromarray(faint).save("faint.png")
    turned.save("turned.png", exif=exif)
    Image.fromarray(mask.astype(np.float32) / 2).save("faint.tif")
    for name in ("faint.png", "turned.png", "faint.tif"):
        assert dinp_command("encode", "-f", "--mask", name, "picture.png", "other.dinp").exit_code == 0
        assert Path("other.dinp").read_bytes() == Path("masked.dinp").read_bytes()


def test_info(folder, coded):
    result = dinp_command("info", "coded.dinp")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith(f"50 x 40 RGB, {len(coded):,} bytes")
    result = dinp_command("info", "--json", "-", data=coded)
    assert json.loads(result.stdout) == dinp.info(coded)
    shown = dinp_command("info", "-v", "coded.dinp").stdout.splitlines()[-1]
    masks, values, rest = (int(n.replace(",", "")) for n in re.findall(r"([\d,]+) bytes", shown))
    assert abs(masks + values + rest - len(coded)) <= 2


def test_only_who_asks_waits_for_the_psnr(folder, monkeypatch):
    from dinp.encoder.picture import CodedPicture

    told = dinp_command("encode", "-v", "picture.png", "new.dinp").stderr
    assert re.search(r"PSNR [\d.]+ dB, [\d.]+ s\n", told)
    monkeypatch.setattr(CodedPicture, "decoded", property(lambda self: pytest.fail("the picture was decoded")))
    assert "PSNR" not in dinp_command("encode", "-f", "picture.png", "new.dinp").stderr


def test_verbose_tells_more_on_stderr(folder):
    for command in (("encode", "picture.png", "new.dinp"), ("decode", "coded.dinp", "new.png")):
        result = dinp_command(*command, "-v")
        assert result.exit_code == 0
        assert result.stdout == ""
        assert "value bits per point" in result.stderr


def test_version_names_package_and_format():
    first, *rest = dinp_command("--version").stdout.splitlines()
    assert first == f"dinp {dinp.__version__}, file format version {dinp.FORMAT_VERSION}"
    assert bool(rest) == (dinp.kernels.kernels is None)


def test_missing_kernels_are_told_by_version_and_once_where_more_is_asked_for(folder):
    """In processes of their own; what they make is what others make."""
    dinp_command("encode", "picture.png", "other.dinp")
    environment = os.environ | {"DINP_KERNELS": "0"}

    def told(*arguments):
        command = [sys.executable, "-m", "dinp.cli", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
        return done.stdout, done.stderr

    note = "compiled kernels turned off by DINP_KERNELS=0: numpy does their work, slower"
    assert told("--version")[0].splitlines()[1:] == [note]
    assert "kernels" not in told("encode", "picture.png", "new.dinp")[1]
    assert Path("new.dinp").read_bytes() == Path("other.dinp").read_bytes()
    assert told("encode", "-v", "-f", "picture.png", "new.dinp")[1].count(f"note: {note}\n") == 1
    assert told("decode", "-v", "new.dinp", "new.png")[1].count(f"note: {note}\n") == 1
    with Image.open("new.png") as decoded:
        np.testing.assert_array_equal(np.asarray(decoded), np.asarray(dinp.decode(Path("new.dinp").read_bytes())))


def test_conversions_are_told(folder):
    Image.open("picture.png").convert("CMYK").save("cmyk.tif")
    result = dinp_command("encode", "cmyk.tif", "new.dinp")
    assert result.exit_code == 0
    assert "note: picture of mode CMYK coded as RGB" in result.stderr


@pytest.mark.parametrize("ending", ["png", "PNG", "tif", "bmp", "ppm", "webp"])
def test_the_ending_tells_the_format_and_the_values_stay_exact(folder, coded, ending):
    result = dinp_command("decode", "coded.dinp", f"new.{ending}")
    assert (result.exit_code, result.output) == (0, "")
    with Image.open(f"new.{ending}") as decoded:
        np.testing.assert_array_equal(np.asarray(decoded), np.asarray(dinp.decode(coded)))


def test_lossy_output_formats_are_told(folder):
    result = dinp_command("decode", "coded.dinp", "new.jpg")
    assert result.exit_code == 0
    assert "note: JPEG" in result.stderr
    with Image.open("new.jpg") as decoded:
        assert decoded.format == "JPEG"


def test_pictures_that_a_format_shrinks_are_told(folder):
    large = Image.new("L", (300, 270), 90)
    large.putpixel((200, 100), 10)
    large.save("large.png")
    assert dinp_command("encode", "large.png", "large.dinp").exit_code == 0
    assert "note: ICO" in dinp_command("decode", "large.dinp", "large.ico").stderr
    fails("may not keep a mask", "mask", "large.png", "mask.ico")


@pytest.mark.parametrize("name", ["new", "new.xyz", "new.dinp", "new.png.gz"])
def test_endings_that_tell_no_format_are_refused_before_any_work(folder, name):
    import dinp.pillow  # noqa: F401 — with it, Pillow writes dinp files as well

    fails("does not tell a picture format", "decode", "missing.dinp", name)


def test_nothing_is_overwritten_without_force(folder, coded):
    fails("exists already", "encode", "picture.png", "foreign.txt")
    fails("exists already", "decode", "coded.dinp", "picture.png")
    assert dinp_command("encode", "--force", "picture.png", "foreign.txt").exit_code == 0
    assert (folder / "foreign.txt").read_bytes() == coded
    assert sorted(os.listdir()) == ["coded.dinp", "foreign.txt", "picture.png"]


def test_nothing_is_overwritten_that_appears_during_the_work(folder):
    with pytest.raises(dinp.DinpError, match="exists already"):
        files.write_output("foreign.txt", b"data", force=False)
    assert (folder / "foreign.txt").read_text() == "not a picture"
    assert sorted(os.listdir()) == ["coded.dinp", "foreign.txt", "picture.png"]


@pytest.mark.parametrize("name", ["new.png", "new.JPG", "new.jxl", "new.tar.tiff"])
def test_a_dinp_file_gets_the_ending_of_another_format_by_force_only(folder, coded, name):
    fails("name the output like new", "encode", "picture.png", name)
    assert dinp_command("encode", "--force", "picture.png", name).exit_code == 0
    assert Path(name).read_bytes() == coded


@pytest.mark.parametrize("name", ["new", "new.DINP", "new.dinp.part", "new.bin"])
def test_other_endings_are_left_to_the_user(folder, name):
    assert dinp_command("encode", "-e", "1", "picture.png", name).exit_code == 0


def test_input_is_never_the_output(folder):
    os.link("picture.png", "same.png")
    for name in ("picture.png", "./picture.png", "same.png"):
        fails("same file", "encode", "-f", "picture.png", name)


@pytest.mark.parametrize(
    ("sentence", "arguments"),
    [
        ("no such file", ("encode", "missing.png", "new.dinp")),
        ("no such file", ("decode", "missing.dinp", "new.png")),
        ("no such file", ("info", "missing.dinp")),
        ("no such file", ("info", "")),
        ("write new.dinp/ if it is one", ("encode", ".", "new.dinp")),
        ("not a picture", ("encode", "foreign.txt", "new.dinp")),
        ("use dinp decode", ("encode", "coded.dinp", "new.dinp")),
        ("not a dinp file", ("decode", "picture.png", "new.png")),
        ("not a dinp file", ("info", "picture.png")),
        ("no folder", ("encode", "picture.png", "missing/new.dinp")),
        ("it is a folder", ("mask", "-f", "picture.png", "folder.png")),
        ("limit of 1,999", ("encode", "--max-pixels", "1999", "picture.png", "new.dinp")),
        ("limit of 1,999", ("decode", "--max-pixels", "1999", "coded.dinp", "new.png")),
        ("limit of 1,999", ("info", "--max-pixels", "1999", "coded.dinp")),
    ],
)
def test_bad_input_ends_in_one_sentence(folder, sentence, arguments):
    (folder / "folder.png").mkdir()
    fails(sentence, *arguments)


def test_damaged_input_ends_in_one_sentence(folder, coded):
    fails("empty", "info", "-", data=b"")
    fails("truncated", "decode", "-", "new.png", data=coded[:-1])
    fails("checksum", "decode", "-", "-", data=coded[:-9] + b"?" + coded[-8:])
    noise = io.BytesIO()
    Image.effect_noise((50, 50), 50).save(noise, "PNG")
    fails("cannot be read", "encode", "-", "new.dinp", data=noise.getvalue()[:900])
    fails("not a picture", "encode", "-", "new.dinp", data=b"")


@pytest.mark.parametrize(
    "arguments",
    [
        ("encode", "picture.png"),
        ("encode", "-q", "101", "picture.png", "new.dinp"),
        ("encode", "-q", "nan", "picture.png", "new.dinp"),
        ("encode", "-q", "high", "picture.png", "new.dinp"),
        ("decode", "--max-pixels", "0", "coded.dinp", "new.png"),
        ("info", "--yaml", "coded.dinp"),
        ("unknown",),
    ],
)
def test_wrong_usage_ends_with_code_2(folder, arguments):
    fails("Usage: ", *arguments, code=2)


def test_pictures_above_pillows_own_limit_are_read_if_allowed(folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow refuses twice as many
    assert dinp_command("encode", "picture.png", "new.dinp").exit_code == 0
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
class TestPosix:
    def test_new_files_have_the_usual_permissions(self, folder):
        (folder / "usual").touch()
        assert dinp_command("encode", "picture.png", "new.dinp").exit_code == 0
        assert (folder / "new.dinp").stat().st_mode == (folder / "usual").stat().st_mode

    def test_replaced_files_keep_their_permissions(self, folder):
        (folder / "foreign.txt").chmod(0o600)
        assert dinp_command("encode", "-f", "picture.png", "foreign.txt").exit_code == 0
        assert stat.S_IMODE((folder / "foreign.txt").stat().st_mode) == 0o600

    def test_symbolic_links_are_followed(self, folder, coded):
        (folder / "elsewhere").mkdir()
        for target in ("elsewhere/new.dinp", "foreign.txt"):
            os.symlink(target, "link")
            assert dinp_command("encode", "-f", "picture.png", "link").exit_code == 0
            assert os.path.islink("link")
            assert (folder / target).read_bytes() == coded
            os.unlink("link")
        assert os.listdir("elsewhere") == ["new.dinp"]

    def test_devices_are_written_to(self, folder):
        for command in (("encode", "picture.png"), ("decode", "coded.dinp")):
            assert dinp_command(*command, "/dev/null").exit_code == 0
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
        assert sorted(os.listdir()) == ["coded.dinp", "foreign.txt", "picture.png"]

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do everything")
    def test_missing_permissions_end_in_one_sentence(self, folder):
        (folder / "picture.png").chmod(0)
        fails("permission denied", "encode", "picture.png", "new.dinp")
        folder.chmod(0o500)
        try:
            fails("no permission", "decode", "coded.dinp", "new.png")
        finally:
            folder.chmod(0o700)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (MemoryError(), "not enough memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            "not enough memory",
        ),
        (OSError(errno.EIO, "Input/output error", "weights"), "Input/output error: weights"),
    ],
)
def test_failures_during_the_work_end_in_one_sentence(folder, monkeypatch, error, sentence):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(dinp, "encode_with_report", fail)
    fails(sentence, "encode", "picture.png", "new.dinp")


def test_mistakes_in_the_program_are_not_hidden(folder, monkeypatch):
    monkeypatch.setattr(dinp, "decode", lambda *arguments, **options: 1 / 0)
    assert isinstance(dinp_command("decode", "coded.dinp", "new.png").exception, ZeroDivisionError)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_failing_to_write_leaves_neither_a_part_nor_a_damaged_old_file(folder, monkeypatch, coded, error):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(os, "replace", fail)
    fails("", "encode", "picture.png", "new.dinp")
    fails("", "encode", "-f", "picture.png", "coded.dinp")


def test_binary_data_does_not_go_to_a_terminal(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(dinp.DinpError, match="terminal"):
        files.check_output("-", "picture.png", force=True)


def test_closed_pipes_end_in_one_sentence(folder):
    """In a process of its own: what matters is what the interpreter says when it exits."""
    if os.name != "posix":
        pytest.skip("pipes of POSIX")
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "dinp", "info", "coded.dinp"]
    process = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert process.returncode == 1
    assert process.stderr == "Error: the output was closed before everything was written\n"


class FakeClock:
    """A clock that goes on by half a second at each look."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 0.5
        return self.now


def test_progress_is_drawn_on_terminals_from_the_second_second_on(monkeypatch, capsys):
    monkeypatch.setattr(progress.time, "monotonic", FakeClock())
    with progress.progress("working") as draw:
        assert draw is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.progress("working") as draw:
        draw(0.25)
        assert capsys.readouterr().err == ""
        draw(0.5)
        assert "50 %" in capsys.readouterr().err
    assert capsys.readouterr().err.endswith(" \r")


def test_long_work_tells_a_line_a_minute_where_nobody_looks(monkeypatch, capsys):
    monkeypatch.setattr(progress.time, "monotonic", FakeClock())
    with progress.counted("working", 1000) as done:
        for _ in range(250):
            done("anything")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["working  12 %", "working  24 %"]


GROUPS = [root.command, bench.bench, train.train]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_the_line_about_a_command_is_the_first_of_its_own_help(group):
    for name, (_, line) in group.homes.items():
        found = group.get_command(None, name)
        assert found.name == name
        assert found.help.split("\n\n")[0].replace("\n", " ") == line


def commands(group, path=()):
    """Paths of all commands of a group."""
    for name in group.list_commands(None):
        found = group.get_command(None, name)
        yield (*path, name)
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))


@pytest.mark.parametrize("path", [(), *commands(root.command)], ids=" ".join)
def test_every_command_has_help_of_one_style(path):
    for option in ("-h", "--help"):
        result = dinp_command(*path, option)
        assert result.exit_code == 0
        assert result.stdout.startswith(f"Usage: {' '.join(('dinp', *path))} [OPTIONS]")
        assert result.stderr == ""
    group = root.command
    for name in path:
        group = group.get_command(None, name)
    assert group.help.split("\n\n")[0].endswith(".")


def test_missing_extras_are_told(monkeypatch):
    def import_module(name):
        if name.startswith("dinp.cli"):
            return importlib.import_module(name)
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")

    monkeypatch.setattr(lazy, "importlib", SimpleNamespace(import_module=import_module))
    result = dinp_command("bench", "rd")
    assert result.exit_code == 1
    assert result.stderr == "Error: this command needs the package matplotlib: pip install 'dinp[bench]'\n"


def test_a_missing_module_of_our_own_is_a_mistake_in_the_program(monkeypatch):
    def import_module(name):
        raise ModuleNotFoundError("No module named 'dinp.x'", name="dinp.x")

    monkeypatch.setattr(lazy, "importlib", SimpleNamespace(import_module=import_module))
    assert isinstance(dinp_command("info").exception, ModuleNotFoundError)


def depth_map():
    values = (500 + 40 * np.arange(40) + 5 * np.arange(30)[:, None]).astype(np.uint16)
    values[10:20, 10:20] = 0
    return values


def test_sixteen_bits_and_a_largest_error(folder):
    Image.fromarray(depth_map()).save("depth.png")
    result = dinp_command("encode", "-e", "1", "--max-error", "2", "depth.png", "depth.dinp")
    assert result.exit_code == 0
    assert "over the range, largest error" in result.stderr
    assert dinp_command("decode", "depth.dinp", "back.png").exit_code == 0
    with Image.open("back.png") as image:
        assert image.mode == "I;16"
        assert np.abs(np.asarray(image).astype(int) - depth_map()).max() <= 2
    report = dinp_command("info", "depth.dinp").stdout
    assert "12-bit unsigned samples, 500 to 2205; LOSSLESS" in report
    assert "samples in steps of 5" in report


@pytest.mark.parametrize("ending", [".npy", ".pfm", ".flo"])
def test_files_of_numbers(folder, ending):
    from dinp.pictures.arrays import array_bytes

    values = depth_map().astype(np.float32)
    values = np.dstack([values, -values]) if ending == ".flo" else values
    (folder / f"in{ending}").write_bytes(array_bytes(values, ending))
    assert dinp_command("encode", "-e", "1", "-q", "60", f"in{ending}", "numbers.dinp").exit_code == 0
    assert dinp_command("decode", "numbers.dinp", f"out{ending}").exit_code == 0
    back = (folder / f"out{ending}").read_bytes()
    assert len(back) == len(array_bytes(values, ending))
    refused = dinp_command("decode", "numbers.dinp", "out.png")
    assert refused.exit_code == 1
    assert ("values.npy" if ending == ".flo" else "choose TIFF") in refused.stderr


def test_profile_and_exif_go_through_files(folder):
    exif = Image.Exif()
    exif[0x010E] = "a word"
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save("in.jpg", exif=exif)
    assert dinp_command("encode", "in.jpg", "kept.dinp").exit_code == 0
    assert dinp_command("decode", "kept.dinp", "kept.jpg").exit_code == 0
    with Image.open("kept.jpg") as image:
        assert image.getexif()[0x010E] == "a word"
    assert dinp_command("encode", "--strip", "in.jpg", "bare.dinp").exit_code == 0
    assert dinp_command("decode", "bare.dinp", "bare.jpg").exit_code == 0
    with Image.open("bare.jpg") as image:
        assert not image.getexif()


def test_a_picture_of_what_was_coded_and_an_account_of_barriers(tmp_path):
    y, x = np.mgrid[:60, :80]
    drawn = np.where((y - 30) ** 2 + (x - 40) ** 2 < 400, 40, 220).astype(np.uint8)
    Image.fromarray(drawn).save(tmp_path / "disc.png")
    arguments = ["encode", str(tmp_path / "disc.png"), str(tmp_path / "disc.dinp"), "--effort", "1", "--plain"]
    result = CliRunner().invoke(root.command, [*arguments, "--picture", str(tmp_path / "all.png"), "-v"])
    assert result.exit_code == 0, result.output
    assert "2 regions" in result.output
    assert "cracks" in result.output
    with Image.open(tmp_path / "all.png") as panels:
        assert panels.size == (4 * 80 + 3 * 8, 60)
        contours = np.asarray(panels.convert("L"))[:, 88:168]
    assert 100 < np.count_nonzero(contours == 0) < 200


@pytest.mark.parametrize(
    ("arguments", "given", "left"),
    [
        (["decode", "a", "b"], {}, {"OPENBLAS_NUM_THREADS": "1"}),
        ([], {}, {"OPENBLAS_NUM_THREADS": "1"}),
        (["encode", "bench", "b"], {"OPENBLAS_NUM_THREADS": "2"}, {"OPENBLAS_NUM_THREADS": "2"}),
        (["bench", "engine"], {}, {}),
        (["train", "tree"], {}, {}),
    ],
)
def test_threads_of_linear_algebra_are_begun_for_measuring_only(arguments, given, left):
    without_blas_threads(arguments, given)
    assert given == left


def test_the_command_is_without_threads_of_linear_algebra_before_numpy_is_there(monkeypatch, folder):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    told = (
        "import sys; from dinp.cli import main; sys.argv[1:] = ['info', 'coded.dinp']; import atexit, os; "
        "assert 'numpy' not in sys.modules; atexit.register(lambda: print(os.environ['OPENBLAS_NUM_THREADS'])); main()"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "1"
