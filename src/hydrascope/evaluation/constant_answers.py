"""The best answer that is the same for every window: what needs no telemetry."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hydrascope.evaluation.predictions import LocatedPredictions, complete
from hydrascope.evaluation.sums import class_names
from hydrascope.schemas.task import HeadKind, HeadSpec


def constant_answers(
    heads: Sequence[HeadSpec], predictions: Mapping[str, LocatedPredictions]
) -> dict[str, dict[str, Any]]:
    """Return for each head with labels the best constant `answer`, in words, and its `value`.

    The value is that of the head's primary metric: R² of the mean, accuracy of the most frequent
    class, macro F1 of flagging every label.

    Args:
        heads: The answered heads.
        predictions: Their answers on the test windows, with the labels.
    """
    found = {}
    for head in heads:
        target = complete(predictions[head.name]).target.double().numpy()
        if not len(target):
            continue
        match head.kind:
            case HeadKind.REGRESSION:
                answer, value = "the mean", 0.0
            case HeadKind.MULTI_LABEL:
                present = target.mean(0)
                answer, value = "every label", float((2 * present / (1 + present)).mean())
            case _:
                share = np.bincount(target[:, 0].astype(np.int64)) / len(target)
                answer, value = class_names(head)[int(share.argmax())], float(share.max())
        found[head.name] = {"answer": answer, "value": value}
    return found
