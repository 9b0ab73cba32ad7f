"""Training from Python."""

from hydrascope.experiment.config_files import existing_folder
from hydrascope.experiment.python_call import SCRIPT, settings_of_call, spec_errors
from hydrascope.experiment.run_folder import claim, remove_unused
from hydrascope.experiment.train import run
from hydrascope.notebook.training_run import TrainingRun
from hydrascope.schemas.arguments import PathOrText, checked


@checked
def fit(
    *overrides: str, config_dir: PathOrText | None = None, quiet: bool = False, **settings: object
) -> TrainingRun:
    """Train as `train.py` does, in this process, and return the run.

    `fit("experiment=zema", trainer={"max_epochs": 2})` is `train.py experiment=zema
    trainer.max_epochs=2`. The run has a folder of its own below `outputs/`, or the one that
    `run_dir` names, which no other run may have.

    Args:
        overrides: As on the command line: `group=option`, `key=value`.
        config_dir: Folder of configuration files of your own, which come before the package's.
        quiet: Print nothing but the progress bar (`trainer.progress_bar`).
        settings: Groups and keys by name. A mapping sets some keys of a group; an object of a
            group's own class (`features=FeatureConfig(…)`, `model=NetworkConfig(…)`,
            `task=TaskSpec(…)`) all of them; a text chooses an option (`model="mlp"`).

    Raises:
        SpecError: Naming every wrong key, its value and what is accepted, before anything is read;
            or what is wrong with the data.
        KeyboardInterrupt: It was interrupted; `resume` goes on with it.
    """
    own = None if config_dir is None else existing_folder(str(config_dir), "config_dir")
    try:
        told = settings_of_call(overrides, settings, own)
        with spec_errors("fit", SCRIPT):
            claim(told.run_dir, told.resume)
            run(told, quiet=quiet)
    except SystemExit as ended:  # as a script ends once Lightning has shut everything down
        raise KeyboardInterrupt(f"run_dir: {told.run_dir}") from ended
    finally:
        remove_unused()
    return TrainingRun(told.run_dir)
