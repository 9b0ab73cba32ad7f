"""A batch that memory does not suffice for."""

import asyncio
import operator
from collections.abc import Sequence
from typing import Any

import torch

from hydrascope.packaging.interpreter import Of, Step, compile_steps
from hydrascope.serving.halving import answer_windows
from hydrascope.serving.torch_errors import plain_errors

_SIZE, _ONES = torch.ops.aten.sym_size.int, torch.ops.aten.new_ones.default
_HUNGRY = compile_steps(
    ["x"],
    {},
    [
        Step("windows", _SIZE, [Of("x"), 0], {}),
        Step("more", operator.sub, [Of("windows"), 2], {}),
        Step("needed", operator.mul, [Of("more"), 10**13], {}),
        Step("some", torch.sym_max, [Of("needed"), 1], {}),
        Step("y", _ONES, [Of("x"), [Of("some")]], {}),
    ],
    ["y"],
)
"""A program that more than two windows need terabytes for."""


class HungryModel:
    def __init__(self) -> None:
        self.batches: list[int] = []

    async def answer(self, windows: Sequence[int]) -> tuple[list[int], str]:
        self.batches.append(len(windows))
        with plain_errors():
            _HUNGRY(torch.zeros(len(windows)))
        return list(windows), "timings"


def test_a_program_that_finds_no_memory_is_run_on_halves() -> None:
    model: Any = HungryModel()
    windows: Any = list(range(7))
    answered = asyncio.run(answer_windows(model, windows))
    assert answered == [(number, "timings") for number in range(7)]
    assert model.batches == [7, 3, 1, 2, 4, 2, 2]
