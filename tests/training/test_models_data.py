"""The data pipeline: labels and pictures stay together through crops, held-out pictures and augmentation."""

import numpy as np
import pytest
import torch
from PIL import Image

from dinp.entropy.tree import Leaves, tree_from_leaves
from dinp.errors import DinpError
from dinp.models.training import data

PICTURES = 40


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Pictures and labels in the documented form, small; a mask is True where its picture is 255, nowhere else."""
    return make_folder(tmp_path, monkeypatch)


def make_folder(tmp_path, monkeypatch, pictures=PICTURES, size=64):
    monkeypatch.setattr(data, "MASK_CROP", size)
    monkeypatch.setattr(data, "TREE_CROP", size)
    rng = np.random.default_rng(0)
    train = tmp_path / "train"
    train.mkdir()
    names = [f"picture-{i:02}.png" for i in range(pictures)]
    bits, leaves, offsets = [], [], [0]
    for i, name in enumerate(names):
        picture = rng.integers(90, 110, (size + 5, size + 9)).astype(np.uint8)
        mask = rng.random((size, size)) < 0.05
        picture[2 : 2 + size, 3 : 3 + size][mask] = 255
        Image.fromarray(picture).save(train / name)
        bits.append(np.packbits(mask))
        side = 16 if i // 2 % 2 else 32
        corners = np.mgrid[0:size:side, 0:size:side].reshape(2, -1).T
        leaves.append(np.hstack([corners, np.full((len(corners), 1), side)]))
        offsets.append(offsets[-1] + len(corners))
    where = {"picture": np.array(names), "y": np.full(pictures, 2), "x": np.full(pictures, 3)}
    np.savez(train / "teacher_masks.npz", bits=np.array(bits), **where)
    np.savez(train / "teacher_trees.npz", leaves=np.vstack(leaves).astype(np.uint8), offsets=np.array(offsets), **where)
    return tmp_path


def test_masks_are_loaded_with_their_crops(folder):
    training, held = data.load_masks(folder)
    assert (len(training), len(held)) == (PICTURES - 2, 2)
    for crops in (training, held):
        np.testing.assert_array_equal(crops.planes == 255, crops.labels[0] == 1)
        np.testing.assert_allclose(crops.density, crops.labels[0].mean(axis=(1, 2)), rtol=1e-6)


def test_held_out_pictures_are_not_trained_on(folder):
    training, held = data.load_masks(folder)
    assert not {p.tobytes() for p in training.planes} & {p.tobytes() for p in held.planes}


def test_trees_are_loaded_as_split_flags_of_every_level(folder):
    training, _ = data.load_trees(folder)
    assert [label.shape[1:] for label in training.labels] == [(64 // s, 64 // s) for s in (32, 16, 8, 4, 2)]
    of_16 = np.isclose(training.density, 16 / 64**2)
    assert of_16.any()
    assert (training.labels[0][of_16] == 1).all()
    assert (training.labels[1][of_16] == 0).all()
    assert (training.labels[1][~of_16] == data.ABSENT).all()
    assert (training.labels[4] == data.ABSENT).all()


def test_a_limit_takes_the_first_labels(folder):
    assert sum(map(len, data.load_trees(folder, 6))) == 6
    assert sum(map(len, data.load_masks(folder, 6))) == 6


def test_the_split_pyramid_of_a_tree_is_the_codecs(tmp_path):
    # leaves of a random quadtree, refined from one root
    rng = np.random.default_rng(1)
    rows, open_cells = [], [(y, x, 32) for y in (0, 32) for x in (0, 32)]
    while open_cells:
        y, x, side = open_cells.pop()
        if side > 1 and rng.random() < 0.6:
            half = side // 2
            open_cells += [(y + dy, x + dx, half) for dy in (0, half) for dx in (0, half)]
        else:
            rows.append((y, x, side))
    leaves = np.array(sorted(rows), dtype=np.uint8)
    pyramid = data.split_pyramid(leaves, 64)
    tree = tree_from_leaves((64, 64), Leaves(*leaves.astype(np.int64).T), 32)
    exists = np.ones((2, 2), dtype=bool)
    for mine, theirs in zip(pyramid, tree.splits, strict=True):
        np.testing.assert_array_equal(mine == 1, theirs)
        np.testing.assert_array_equal(mine != data.ABSENT, exists)
        exists = theirs.repeat(2, axis=0).repeat(2, axis=1)


def test_the_eight_orientations_differ_and_keep_cells_with_their_pixels():
    plane = np.arange(16.0).reshape(4, 4)
    assert len({data.dihedral(plane, k).tobytes() for k in range(8)}) == 8
    for k in range(8):
        blocks = data.dihedral(plane, k).reshape(2, 2, 2, 2).sum(axis=(1, 3))
        np.testing.assert_array_equal(blocks, data.dihedral(plane.reshape(2, 2, 2, 2).sum(axis=(1, 3)), k))


def test_augmentation_moves_labels_with_the_picture_and_inverts_some():
    rng = np.random.default_rng(2)
    plane = rng.integers(0, 200, (32, 32)).astype(np.uint8)
    mask = rng.random((32, 32)) < 0.1
    plane[mask] = 255
    signs = set()
    for _ in range(20):
        changed, (label,) = data.augment(plane, [mask], rng)
        marked, rest = changed[label], changed[~label]
        sign = 1 if marked.min() > rest.max() else -1
        assert (sign * marked).min() > (sign * rest).max()
        signs.add(sign)
    assert signs == {1, -1}


def test_batches_are_drawn_from_the_generator(folder):
    training, _ = data.load_masks(folder)
    drawn = (data.draw(training, 3, np.random.default_rng(seed)) for seed in (1, 1, 2))
    first, second, other = (data.to_tensors(*batch, torch.device("cpu")) for batch in drawn)
    planes, density, (label,) = first
    assert (planes.shape, density.shape, label.shape) == ((3, 1, 64, 64), (3,), (3, 64, 64))
    torch.testing.assert_close(label.mean(dim=(1, 2)), density)
    assert torch.equal(planes, second[0])
    assert not torch.equal(planes, other[0])


def test_missing_files_are_named(tmp_path, folder):
    with pytest.raises(DinpError, match=r"teacher_masks\.npz"):
        data.load_masks(tmp_path / "nowhere")
    (folder / "train" / "picture-00.png").unlink()
    with pytest.raises(DinpError, match="picture-00"):
        data.load_masks(folder)
