"""Models that take over from each other, and what becomes of those that answer no more."""

import asyncio
from pathlib import Path

from serving_parts import TroubledModel, engine_of

from hydrascope.serving.engine.model_store import ModelStore
from hydrascope.serving.observability.metrics import Metrics


class _Counted(TroubledModel):
    """A model with a version of its own, which says whether it is closed."""

    closed = False

    async def close(self) -> None:
        self.closed = True


def test_a_model_that_answers_no_more_is_closed_once_no_request_waits_for_it(bundle: Path) -> None:
    opened: list[_Counted] = []

    async def open_model(path: Path) -> _Counted:
        model = _Counted(bundle)
        model.version = path.name
        opened.append(model)
        return model

    async def work() -> list[list[bool]]:
        first = await open_model(Path("0"))
        engine = engine_of(first, deadline_s=0.3)
        await engine.start()
        store = ModelStore(engine, None, None, open_model, Metrics())
        seen = []
        for version in "1123":
            await store.activate_bundle(Path(version))
            seen.append([each.closed for each in opened])
        assert store.active.version == "3"
        await asyncio.sleep(0.6)
        seen.append([each.closed for each in opened])
        await engine.stop(1)
        await store.close()
        assert all(each.closed for each in opened)
        return seen

    one, again, *_, last = asyncio.run(work())
    assert one == [False, False]  # the one before stays, for a rollback
    assert again == [False, False, True]  # the same version once more is not taken over
    assert last == [True, True, True, False, False]
