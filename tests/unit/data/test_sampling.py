"""The order of windows: a function of seed and epoch, dealt out evenly, balanced when asked."""

import numpy as np
import pytest

from hydrascope.data.sampling import WindowSampler
from hydrascope.data.windows import WindowNumbers

ROWS = np.array([3, 5, 8, 13, 21, 34, 55, 89, 144, 233])


def drawn(sampler: WindowSampler) -> list[int]:
    return [row for batch in sampler for row in batch.rows.tolist()]


def test_a_shuffle_is_a_permutation_and_a_function_of_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int, before: int = 0) -> list[int]:
        sampler = WindowSampler(ROWS, 3, shuffle=True, seed=seed)
        for number in range(before):  # what went on before must not matter
            sampler.set_epoch(number)
            drawn(sampler)
        sampler.set_epoch(epoch)
        assert len(sampler) == 4
        return drawn(sampler)

    assert sorted(order(0, 0)) == ROWS.tolist()
    assert order(0, 4) == order(0, 4, before=4)
    orders = {tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_without_shuffling_rows_come_in_their_order_each_once() -> None:
    sampler = WindowSampler(ROWS, 4, shuffle=False)
    assert [batch.rows.tolist() for batch in sampler] == [
        [3, 5, 8, 13],
        [21, 34, 55, 89],
        [144, 233],
    ]
    assert [len(batch.rows) for batch in WindowSampler(ROWS, 4, shuffle=True, drop_last=True)] == [
        4,
        4,
    ]


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 10, 31, 32, 33])
@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
@pytest.mark.parametrize("shuffle", [True, False])
def test_processes_take_equally_many_steps_and_see_each_window_once(
    count: int, world_size: int, shuffle: bool
) -> None:
    rows = np.arange(100, 100 + count)
    ranks = [
        WindowSampler(rows, 4, shuffle=shuffle, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    batches = [list(rank) for rank in ranks]
    assert len({len(of_rank) for of_rank in batches}) == 1
    assert [len(of_rank) for of_rank in batches] == [len(rank) for rank in ranks]
    sizes = [[len(batch.rows) for batch in of_rank] for of_rank in batches]
    for step in zip(*sizes, strict=True):
        assert 1 <= min(step) <= max(step) <= min(4, min(step) + 1)
    seen = [row for of_rank in batches for batch in of_rank for row in batch.rows.tolist()]
    assert set(seen) == set(rows.tolist())
    assert len(seen) - count < world_size  # only a last step smaller than the processes repeats


def balanced(classes: WindowNumbers, epochs: int) -> WindowNumbers:
    rows = np.arange(len(classes)) + 1000
    sampler = WindowSampler(rows, 16, shuffle=True, classes=classes, seed=1)
    counts = np.zeros(len(classes), dtype=np.int64)
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        epoch_rows = np.array(drawn(sampler)) - 1000
        of_class = np.bincount(classes[epoch_rows])
        assert of_class.max() - of_class.min() <= 1
        np.add.at(counts, epoch_rows, 1)
    return counts


def test_balanced_epochs_draw_every_class_equally_often_and_its_windows_evenly() -> None:
    classes = np.array([0] * 90 + [1] * 9 + [2] * 3)
    counts = balanced(classes, epochs=50)
    assert counts.sum() == 50 * len(classes)
    for each, size in ((0, 90), (1, 9), (2, 3)):
        mine = counts[classes == each]
        assert mine.sum() == pytest.approx(50 * 34, abs=0)
        # A window of the large class comes in 34 of 90 epochs at random, those of the small ones
        # three or four, and eleven or twelve times in each.
        spread = 4 * np.sqrt(50 * 34 / 90) if size == 90 else 50
        assert np.abs(mine - 50 * 34 / size).max() <= spread


def test_windows_of_unknown_class_are_never_drawn_for_balance() -> None:
    classes = np.array([0, -1, 1, 1, -1, 0, 1, 1])
    sampler = WindowSampler(np.arange(8), 3, shuffle=True, classes=classes)
    rows = drawn(sampler)
    assert len(rows) == 6
    assert not {1, 4} & set(rows)


def test_a_pass_goes_on_where_it_was_and_the_next_one_begins_at_its_beginning() -> None:
    def sampler() -> WindowSampler:
        return WindowSampler(ROWS, 3, shuffle=True, seed=5)

    whole = sampler()
    whole.set_epoch(2)
    expected = [batch.rows.tolist() for batch in whole]
    resumed = sampler()
    resumed.load_state_dict({"epoch": 2, "offset": 3})
    resumed.set_epoch(2)
    assert [batch.rows.tolist() for batch in resumed] == expected[3:]
    assert [batch.rows.tolist() for batch in resumed] == expected
    resumed.load_state_dict({"epoch": 2, "offset": 3})
    resumed.set_epoch(3)
    assert len(list(resumed)) == 4
