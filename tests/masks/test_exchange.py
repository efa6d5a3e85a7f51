"""Exchange: never worse than its start, exact, repeatable, interruptible; local judgement keeps up with global."""

from functools import partial

import numpy as np
import pytest
from skimage import data

from dinp.diffusion.inpaint import Inpainter
from dinp.errors import DinpError
from dinp.models.masks import exchange as exchanging
from dinp.models.masks.analytic import analytic_mask, random_mask
from dinp.models.masks.densification import densification
from dinp.models.masks.exchange import (
    densification_exchange,
    exchange,
    global_exchange,
    global_exchange_seconds,
    nonlocal_pixel_exchange,
    removal_costs,
    settled_pixel_exchange,
)
from dinp.models.masks.sparsification import probabilistic_sparsification

IMAGE = data.camera()[100:196, 180:276].astype(np.float64)
START = analytic_mask(IMAGE, 0.05)
SEARCHES = {
    "nonlocal": partial(nonlocal_pixel_exchange, cycles=2, start=START),
    "settled": partial(settled_pixel_exchange, most=6, start=START),
    "rounds": partial(exchange, rounds=8, start=START),
    "global": partial(global_exchange, swaps=40, start=START),
}


def _error(mask):
    return np.mean((Inpainter(mask).solve(IMAGE) - IMAGE) ** 2)


@pytest.mark.parametrize("method", [partial(nonlocal_pixel_exchange, cycles=0.5), densification_exchange])
@pytest.mark.parametrize("density", [1e-6, 0.3, 1.0])
def test_the_density_is_exact_and_the_seed_decides(method, density, shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)[:24, :24]
    mask = method(image, density, 1)
    assert (mask.shape, mask.dtype) == (image.shape, np.bool_)
    assert np.count_nonzero(mask) == max(1, round(density * image.size))
    np.testing.assert_array_equal(mask, method(image, density, 1))


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_improves_its_start_and_leaves_it_alone(name):
    before = START.copy()
    mask = SEARCHES[name](IMAGE, 0.05, 0)
    np.testing.assert_array_equal(START, before)
    assert np.count_nonzero(mask) == np.count_nonzero(START)
    assert _error(mask) < (0.99 if name == "global" else 0.75) * _error(START)


def test_swaps_judged_locally_are_worth_what_swaps_judged_globally_are():
    image, start = IMAGE[:48, :48], START[:48, :48]
    density = np.count_nonzero(start) / start.size
    arguments = {"density": density, "seed": 0, "start": start}
    local = nonlocal_pixel_exchange(image, cycles=2, **arguments)
    swaps = 2 * np.count_nonzero(start)
    slow = global_exchange(image, swaps=swaps, **arguments)
    error = [np.mean((Inpainter(mask).solve(image) - image) ** 2) for mask in (local, slow)]
    assert error[0] < 1.05 * error[1]


def test_on_top_of_the_searches_it_is_far_better_than_random():
    random = _error(random_mask(IMAGE, 0.05, 0))
    sparsified = probabilistic_sparsification(IMAGE, 0.05, 0)
    swapped = nonlocal_pixel_exchange(IMAGE, 0.05, 0, start=sparsified, cycles=2)
    assert _error(swapped) < 0.8 * _error(sparsified)
    assert _error(densification_exchange(IMAGE, 0.05)) < min(0.45 * random, 0.97 * _error(densification(IMAGE, 0.05)))


def test_an_exchange_goes_on_until_it_stands_still(monkeypatch):
    image, start = IMAGE[:48, :48], START[:48, :48]
    density = np.count_nonzero(start) / start.size
    rounds = []
    batches = exchanging.swap_batches

    def counted(*arguments):
        rounds.append(arguments[3:])
        return batches(*arguments)

    monkeypatch.setattr(exchanging, "swap_batches", counted)
    settled_pixel_exchange(image, density, start=start, still=0.5)
    assert rounds == [(5,), (5, 0.03), (3, 0.01)]
    with pytest.raises(DinpError, match="least gain"):
        settled_pixel_exchange(image, density, start=start, still=1.0)


def test_points_on_a_slope_are_cheap_to_remove_and_points_on_an_edge_are_not():
    plane = np.tile(np.arange(40.0), (40, 1))
    plane[:, 20:] += 100
    mask = random_mask(plane, 0.2, 0)
    mask[20, 20] = True
    costs = removal_costs(mask, plane)
    x = np.nonzero(mask)[1]
    inside = (x > 0) & (x < 39)
    np.testing.assert_allclose(costs[inside & (abs(x - 19.5) > 1)], 0)
    assert (costs[abs(x - 19.5) < 1] > 1000).all()


@pytest.mark.parametrize("name", SEARCHES)
def test_an_interrupted_search_keeps_its_best_mask(name):
    def interrupt(fraction):
        if fraction >= 0.5:
            raise KeyboardInterrupt

    mask = SEARCHES[name](IMAGE, 0.05, 0, progress=interrupt, keep_on_interrupt=True)
    assert np.count_nonzero(mask) == np.count_nonzero(START)
    assert _error(mask) < _error(START)
    with pytest.raises(KeyboardInterrupt):
        SEARCHES[name](IMAGE, 0.05, 0, progress=interrupt)


def test_interrupted_while_it_makes_its_own_start():
    def interrupt(fraction):
        raise KeyboardInterrupt

    for method in (nonlocal_pixel_exchange, densification_exchange):
        mask = method(IMAGE, 0.05, 0, progress=interrupt, keep_on_interrupt=True)
        assert np.count_nonzero(mask) == round(0.05 * IMAGE.size)


def test_a_global_solve_for_every_swap_takes_long():
    one, two = (global_exchange_seconds(IMAGE[:40, :40], 0.05, swaps=2, cycles=cycles) for cycles in (1e6, 1e-6))
    assert one > two > 0


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize(
    "wrong",
    [
        {"density": 0.0},
        {"density": 0.06},
        {"start": START[:50]},
        {"start": START.astype(np.uint8)},
        {"image": np.full(IMAGE.shape, np.nan)},
    ],
)
def test_bad_input_is_refused(name, wrong):
    with pytest.raises(DinpError):
        SEARCHES[name](**({"image": IMAGE, "density": 0.05} | wrong))


def test_impossible_numbers_are_refused():
    with pytest.raises(DinpError):
        nonlocal_pixel_exchange(IMAGE, 0.05, cycles=-1)
    with pytest.raises(DinpError):
        global_exchange_seconds(IMAGE, 0.05, swaps=0)
