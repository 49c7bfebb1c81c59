"""A run that is a trial of a search tells its scores as it goes, and ends where it falls behind the other trials."""

from pathlib import Path

import optuna
import pytorch_lightning as pl
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from pytorch_lightning.trainer.states import TrainerFn

from panns.training.errors import Pruned

SEARCH = "search"  # name of the one study in a journal
PRUNED_AT = "pruned at step"  # attribute of a trial that ended so

optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_search(journal: str | Path, pruner: optuna.pruners.BasePruner | None = None) -> optuna.Study:
    """The trials of a search, whose scores are the better the higher, from a file that several processes may append to.

    Args:
        journal: The file; it is made if it is not there.
        pruner: That trials are asked to end by; None: none is asked.
    """
    storage = JournalStorage(JournalFileBackend(str(journal)))
    return optuna.create_study(
        storage=storage, study_name=SEARCH, direction="maximize", load_if_exists=True, pruner=pruner
    )


class Pruning(pl.Callback):
    """Reports a score after each validation, and stops the run if the pruner says so.

    Args:
        journal: File that the search keeps its trials in; None: the run is no trial, and nothing happens.
        trial: Number of the trial that this run is.
        monitor: The score.
        pruner: Optuna's.
    """

    def __init__(
        self, journal: str | Path | None, trial: int | None, monitor: str, pruner: optuna.pruners.BasePruner
    ) -> None:
        self.journal, self.number, self.monitor, self.pruner = journal, trial, monitor, pruner
        self._pruned_at: int | None = None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reports; all ranks end with the checkpoint after this validation if the first is told to."""
        if self.journal is None or trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        behind = self._falls_behind(trainer) if trainer.is_global_zero else False
        if trainer.strategy.broadcast(behind):
            self._pruned_at, trainer.should_stop = trainer.global_step, True

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Ends the run.

        Raises:
            Pruned: it was stopped here.
        """
        if self._pruned_at is not None:
            raise Pruned(
                f"Pruned: at step {self._pruned_at} {self.monitor} is behind the other trials in {self.journal}."
                " Without hparams_search the same values go on from the checkpoint."
            )

    def _falls_behind(self, trainer: pl.Trainer) -> bool:
        assert self.journal is not None
        study = open_search(self.journal, pruner=self.pruner)
        (frozen,) = (one for one in study.get_trials(deepcopy=False) if one.number == self.number)
        trial = optuna.trial.Trial(study, frozen._trial_id)
        if trainer.global_step not in frozen.intermediate_values:  # a resumed run comes by here twice
            trial.report(float(trainer.callback_metrics[self.monitor]), trainer.global_step)
        behind = trial.should_prune()
        if behind:
            trial.set_user_attr(PRUNED_AT, trainer.global_step)
        return behind
