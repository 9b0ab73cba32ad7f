"""A batch that memory does not suffice for."""

import asyncio
from collections.abc import Sequence
from typing import Any

import torch

from hydrascope.serving.engine.batch import answer_windows
from hydrascope.serving.model.torch_errors import builtin_errors


class HungryModel:
    def __init__(self) -> None:
        self.batches: list[int] = []

    async def answer(self, windows: Sequence[int]) -> tuple[list[int], str]:
        self.batches.append(len(windows))
        with builtin_errors():
            torch.ones(max(1, 10**13 * (len(windows) - 2)))  # terabytes for more than two
        return list(windows), "timings"


def test_a_batch_that_finds_no_memory_is_answered_in_halves() -> None:
    model: Any = HungryModel()
    windows: Any = list(range(7))
    answered = asyncio.run(answer_windows(model, windows))
    assert answered == [(number, "timings") for number in range(7)]
    assert model.batches == [7, 3, 1, 2, 4, 2, 2]
