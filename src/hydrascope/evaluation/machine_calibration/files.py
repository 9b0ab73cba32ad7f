"""The files of a calibration: machine, duty, and what the data tell as JSON."""

import json
from pathlib import Path
from typing import Any

from hydrascope.evaluation.page.numbers import significant
from hydrascope.schemas.whole_file import write_whole
from hydrascope.simulation.build import DUTY_FILE, MACHINE_FILE, Build
from hydrascope.simulation.calibration.calibrate import Calibration
from hydrascope.simulation.calibration.posterior import (
    INTERVAL,
    calibrated_machine,
    conditions,
    residual,
    rests,
    told,
)
from hydrascope.telemetry.calibration.windows import SoundWindows
from hydrascope.telemetry.fleet_export import as_yaml


def write_files(folder: Path, build: Build, windows: SoundWindows, found: Calibration) -> None:
    """Write `machine.yaml` and `duty.yaml`, which can be simulated, and `calibration.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / MACHINE_FILE, as_yaml(calibrated_machine(found)))
    write_whole(folder / DUTY_FILE, as_yaml(build.duty))
    text = json.dumps(content(windows, found), indent=2, ensure_ascii=False)
    write_whole(folder / "calibration.json", text + "\n")


def content(windows: SoundWindows, found: Calibration) -> dict[str, Any]:
    """Return what the data tell, as `calibration.json` has it."""
    before, after = residual(found)
    return {
        "machine": windows.machine,
        "window_s": windows.window_s,
        "windows": [[str(each.start), str(each.end)] for each in windows.times],
        "interval": INTERVAL,
        "residual_percent_of_range": {"before": significant(before), "after": significant(after)},
        "values": {
            each.parameter.key: {
                "given": each.parameter.given,
                "before": [significant(value) for value in each.before],
                "after": [significant(value) for value in each.after],
                "spread_after_over_before": significant(each.share),
                "determined": each.determined,
                "together_with": each.together,
            }
            for each in told(found)
        },
        "conditions": conditions(found),
        "sensors": {
            each.sensor: {
                "unit": each.unit,
                "before": significant(each.before),
                "after": significant(each.after),
                "left_out_by_the_model": significant(each.left_out),
            }
            for each in rests(found)
        },
    }
