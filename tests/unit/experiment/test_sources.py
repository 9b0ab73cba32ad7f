"""What a configuration or a checkpoint names as a source is called only if it is one."""

from pathlib import Path

import pytest

from hydrascope.experiment.assemble import build_datamodule
from hydrascope.experiment.check import check
from hydrascope.experiment.data_settings import DataSettings
from hydrascope.schemas import SpecError


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("os.system", "'os.system' is not accepted; expected a class with the methods machines, e"),
        (
            "pathlib.Path.touch",
            "'pathlib.Path.touch' is not accepted: No module named 'pathlib.Path",
        ),
        ("builtins.open", "'builtins.open' is not accepted; expected a class"),
        ("hydrascope.telemetry.ZemaSourse", "'hydrascope.telemetry.ZemaSourse' is not accepted: "),
    ],
)
def test_nothing_but_a_source_is_called(target: str, fault: str, tmp_path: Path) -> None:
    settings = check(["experiment=zema"])
    made = tmp_path / "made"
    source = {"_target_": target, "command": f"touch {made}", "file": str(made), "mode": "w"}
    data = DataSettings.model_validate(
        {**settings.data.model_dump(by_alias=True), "source": source}
    )
    with pytest.raises(SpecError, match=rf"^data\.source\._target_: {fault}"):
        build_datamodule(data, settings.features, settings.task, 0)
    assert not made.exists()


def test_what_a_sources_arguments_name_is_not_called(tmp_path: Path) -> None:
    settings = check(["experiment=zema"])
    made = tmp_path / "made"
    source = {
        "_target_": "hydrascope.telemetry.ZemaSource",
        "folder": {"_target_": "pathlib.Path.touch", "_args_": [str(made)]},
    }
    data = DataSettings.model_validate(
        {**settings.data.model_dump(by_alias=True), "source": source}
    )
    with pytest.raises(Exception, match="ZemaSource"):
        build_datamodule(data, settings.features, settings.task, 0)
    assert not made.exists()


@pytest.mark.parametrize("content", [b"\xec\xff", b"- 1", b"", b"a: [1"])
def test_a_file_that_is_no_configuration_is_one_line(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "whole.yaml"
    file.write_bytes(content)
    with pytest.raises(SpecError) as refused:
        check([str(file)])
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)
