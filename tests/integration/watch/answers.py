"""Comparison of two diagnoses' numbers."""

from typing import Any

import pytest


def assert_same_numbers(found: Any, expected: Any, path: str = "") -> None:
    """Assert that two JSON values differ in no more than the rounding of numbers."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), path
        for key, value in expected.items():
            assert_same_numbers(found[key], value, f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for number, value in enumerate(expected):
            assert_same_numbers(found[number], value, f"{path}[{number}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-5, rel=1e-5), path
    else:
        assert found == expected, path
