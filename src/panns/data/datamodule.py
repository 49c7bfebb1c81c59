"""AudioSetDataModule: one clip store, its splits, and the loaders of each rank."""

import os
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl

from panns.data.batches import BatchReader, Transform
from panns.data.hashing import content_hash
from panns.data.loader import ClipLoader, WorkerLoader
from panns.data.ontology import propagated
from panns.data.plans import EvaluationPlan, Plan, TrainPlan
from panns.data.quarantine import ids_fingerprint
from panns.data.ready import make_esc50, open_or_prepare
from panns.data.roles import Selection, assign
from panns.data.samplers import BalancedSampler, Sampler
from panns.data.store import ClipStore, is_url
from panns.data.store_files import StoreError


class AudioSetDataModule(pl.LightningDataModule):
    """Weakly labelled clips of AudioSet, or of any store written by `panns pack` or `panns index`.

    An epoch is a validation interval of `clips_per_epoch` training examples, not a pass over the data.

    Args:
        store: Folder of the store, or its URL (s3://, gs://, https://, ...).
        prepare: Makes the store in the folder it is called with, or keeps the one that is there; None if the user has
            to make it.
        train_splits: Splits to train on; None for all that are not evaluated on.
        validation_splits: Splits scored after every epoch.
        test_splits: Splits scored once, with the checkpoint that validation chose; None for the validation splits.
        blacklist: Clips never trained on: ids, a file with one id a line, or "dcase2017_task4", which the paper's
            training left out.
        propagate_labels: Adds to each label its ancestors in AudioSet's ontology: "train" for training alone (scores
            then stay comparable), "all" for evaluation too; None takes the labels as they were given.
        fraction: Of the training clips, stratified: a smaller fraction lies within a larger one, every class keeps a
            clip. See `panns.data.selection`.
        fraction_seed: Another seed is another subset; it does not follow the run's seed, so that runs share theirs.
        holdout: Training clips held out to validate with, stratified: a fraction, or about how many. The validation
            splits are then tested only.
        holdout_splits: Training splits that they are taken from; None for all.
        holdout_min_per_class: Clips held out of each class at least, up to half of what it has.
        holdout_seed: Another seed holds out others.
        clip_seconds: Length of a training clip; None for the store's. Longer clips are cut, shorter ones padded with
            zeros.
        batch_size: Training examples per optimizer step on all devices together. A mixed pair is one example.
        draws_per_example: 2 with mixup (the paper's batch of 32 reads 64 clips), else 1.
        clips_per_epoch: Training examples between validations, a multiple of `batch_size`.
        max_epochs: How many epochs training is planned to last; the trainer reads it. With 0 the store may lack the
            training splits.
        sampler: Builds the sampler, see `panns.data.samplers`.
        max_damaged_clips: Training clips that may turn out unreadable: another draw takes the place of each, which is
            counted and reported; one more stops the run. 0 stops at the first.
        cache: Of a store at a URL: folder on a local disk that keeps its index and the clips that were read; None for
            PANNS_CACHE, else ~/.cache/panns.
        cache_gb: What those clips may take, 0 to keep none; None for all of the disk but 5 %.
        hint: How to get the data, said where the store is missing.
        num_threads: Reader threads per rank; None for the cores there are, at most 8.
        num_workers: Worker processes instead of threads; a `transform` always runs in workers, `num_threads` of them
            if this is 0.
        transform: A user's own function on each training clip, int16 (L,) and sample rate -> int16 (L,).
    """

    def __init__(
        self,
        store: str | Path,
        validation_splits: Sequence[str],
        clips_per_epoch: int,
        train_splits: Sequence[str] | None = None,
        test_splits: Sequence[str] | None = None,
        blacklist: str | Sequence[str] | None = None,
        propagate_labels: Literal["train", "all"] | None = None,
        fraction: float = 1.0,
        fraction_seed: int = 0,
        holdout: float | None = None,
        holdout_splits: Sequence[str] | None = None,
        holdout_min_per_class: int = 0,
        holdout_seed: int = 0,
        batch_size: int = 32,
        draws_per_example: int = 1,
        max_epochs: int = 1,
        clip_seconds: float | None = None,
        sampler: Callable[..., Sampler] = BalancedSampler,
        seed: int = 0,
        num_threads: int | None = None,
        num_workers: int = 0,
        transform: Transform | None = None,
        prepare: Callable[[Path], Any] | None = None,
        max_damaged_clips: int = 0,
        cache: str | Path | None = None,
        cache_gb: float | None = None,
        hint: str = "",
    ) -> None:
        super().__init__()
        self.batch_size, self.draws_per_example, self.clips_per_epoch = batch_size, draws_per_example, clips_per_epoch
        self.max_epochs, self.sampler, self.seed = max_epochs, sampler, seed
        self.num_threads = num_threads or min(os.cpu_count() or 1, 8)
        self.num_workers, self.transform = num_workers, transform
        self.max_damaged_clips = max_damaged_clips
        self._check_sizes(clip_seconds, num_threads)
        if transform is not None and not callable(transform):
            raise ValueError(f"data.transform={transform}: give a function as a _target_ with _partial_: true.")
        if cache_gb is not None and cache_gb < 0:
            raise ValueError(f"data.cache_gb={cache_gb}: 0 keeps no clips, null takes all of the disk but 5 %.")
        if is_url(store):
            given = ClipStore.open(store, cache=cache, cache_gb=cache_gb)
        else:
            given = open_or_prepare(Path(store), prepare, hint)
        self.clip_samples = round(clip_seconds * given.sample_rate) if clip_seconds else given.clip_samples
        if max_epochs == 0:
            train_splits = [split for split in train_splits or () if split in given.splits]
        self.selection = Selection(
            blacklist, fraction, fraction_seed, holdout, holdout_splits, holdout_min_per_class, holdout_seed
        )
        self.roles = assign(given, train_splits, validation_splits, test_splits, self.selection)
        self.train_rows, self.validation_rows = self.roles.train, self.roles.validation
        self.test_rows = self.roles.test
        self.propagate_labels = propagate_labels
        self.store, self.evaluation_store = _labelled(given, propagate_labels)
        self._check_rows()
        self._train_loader: ClipLoader | None = None
        self._resumed = 0  # draws of the run that is gone on with

    def _check_sizes(self, clip_seconds: float | None, num_threads: int | None) -> None:
        if self.batch_size < 1:
            raise ValueError(f"data.batch_size={self.batch_size}: a batch needs at least one clip.")
        if clip_seconds is not None and clip_seconds <= 0:
            raise ValueError(f"data.clip_seconds={clip_seconds}: give seconds, more than 0, or null for the store's.")
        if num_threads is not None and num_threads < 1:
            raise ValueError(f"data.num_threads={num_threads}: one thread at least reads; null takes as many as cores.")
        if self.max_damaged_clips < 0:
            raise ValueError(f"data.max_damaged_clips={self.max_damaged_clips}: 0 stops at the first, or give a limit.")
        if self.num_workers < 0:
            raise ValueError(f"data.num_workers={self.num_workers}: 0 reads in threads, 1 or more in processes.")
        if self.clips_per_epoch < 1 or self.clips_per_epoch % self.batch_size:
            nearest = max(1, round(self.clips_per_epoch / self.batch_size)) * self.batch_size
            raise ValueError(
                f"data.clips_per_epoch={self.clips_per_epoch} is no multiple of data.batch_size={self.batch_size}: "
                f"the nearest is {nearest}."
            )

    def _check_rows(self) -> None:
        if not len(self.validation_rows) or (self.max_epochs != 0 and not len(self.train_rows)):
            empty = "train" if len(self.validation_rows) else "validation"
            held_back = (
                f"; {len(self.roles.quarantined):,} clips are in quarantine" if len(self.roles.quarantined) else ""
            )
            raise StoreError(
                f"{self.store.place}: no clips to use as {empty} data; the store has the splits {self.store.splits}"
                f"{held_back}{self._nothing_held_out(empty)}."
            )

    def _nothing_held_out(self, empty: str) -> str:
        size = self.selection.holdout
        if size is None or empty == "train":
            return ""
        return (
            f"; data.holdout={size:g} holds out none of {len(self.train_rows):,} clips (each class keeps one to train "
            "on): give a greater one"
        )

    @property
    def num_classes(self) -> int:
        """Classes of the store: what a model's output is as wide as."""
        return self.store.num_classes

    @property
    def classes(self) -> list[str]:
        """Display names, in output order."""
        return [label.name for label in self.store.classes]

    @property
    def clip_seconds(self) -> float:
        """Length of a clip as the model gets it."""
        return self.clip_samples / self.store.sample_rate

    @property
    def train_class_counts(self) -> npt.NDArray[np.int64]:
        """(K,) training clips per class, by the labels trained on."""
        return self.store.class_counts(self.train_rows)

    @cached_property
    def fingerprint(self) -> dict[str, dict[str, Any]]:
        """Counts, sample rate and a hash of ids and labels of each role's clips, what their labels stand for, and what
        was left out."""
        of_roles = {
            "train": self.store.fingerprint(self.train_rows),
            "validation": self.evaluation_store.fingerprint(self.validation_rows),
        }
        if self.roles.tested_apart:
            of_roles["test"] = self.evaluation_store.fingerprint(self.test_rows)
        return of_roles | {
            "labels": {
                "classes": content_hash(repr(self.classes).encode())[:12],
                "single_label": self.store.single_label,
            },
            "quarantine": ids_fingerprint(self.store.id[self.roles.quarantined].tolist()),
            "blacklist": ids_fingerprint(self.store.id[self.roles.blacklisted].tolist()),
            "selection": {
                "propagate_labels": self.propagate_labels,
                "fraction": self.selection.fraction,
                "fraction_seed": self.selection.fraction_seed,
                "drawn_from": self.roles.drawn_from,
                "holdout": self.selection.holdout,
                "holdout_seed": self.selection.holdout_seed,
            },
        }

    def train_dataloader(self) -> ClipLoader:
        """Loader of this rank; its epochs have clips_per_epoch / batch_size batches."""
        draws = self.state_dict()["draws"]
        self._train_loader = self._loader(self.store, self._train_plan(), self.transform)
        self._train_loader.go_on_after(draws)
        return self._train_loader

    def _train_plan(self) -> TrainPlan:
        world_size, accumulate = self._world_size, self.trainer.accumulate_grad_batches if self.trainer else 1
        per_rank, rest = divmod(self.batch_size, world_size * accumulate)
        if rest or not per_rank:
            raise ValueError(
                f"data.batch_size={self.batch_size}, the batch of all devices together, does not divide by "
                f"{world_size} devices x {accumulate} accumulated batches; choose a multiple of their product."
            )
        counts, idx = self.store.labels_of(self.train_rows)
        ptr = np.concatenate([[0], np.cumsum(counts)])
        sampler = self.sampler(
            ptr, idx, self.num_classes, seed=self.seed, draws_per_batch=self.batch_size * self.draws_per_example
        )
        return TrainPlan(
            self.train_rows,
            sampler,
            per_rank,
            self.draws_per_example,
            num_batches=self.clips_per_epoch // self.batch_size * accumulate,
            rank=self._rank,
            world_size=world_size,
        )

    def state_dict(self) -> dict[str, int]:
        """-> {"draws": ...}: the position in the stream of draws.

        It is kept here since Lightning hands the state of a loader back in the middle of an epoch only.
        """
        return {"draws": self._train_loader.draws if self._train_loader else self._resumed}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Goes on with the next draw."""
        self._train_loader, self._resumed = None, state_dict["draws"]

    def val_dataloader(self) -> ClipLoader:
        """Loader of this rank's share of the validation clips."""
        return self._evaluation(self.validation_rows)

    def test_dataloader(self) -> ClipLoader:
        """Loader of this rank's share of the test clips."""
        return self._evaluation(self.test_rows)

    def _evaluation(self, rows: npt.NDArray[np.integer]) -> ClipLoader:
        batch_size = max(1, self.batch_size * self.draws_per_example // self._world_size)
        plan = EvaluationPlan(rows, batch_size, self._rank, self._world_size)
        return self._loader(self.evaluation_store, plan, None)

    def _loader(self, store: ClipStore, plan: Plan, transform: Transform | None) -> ClipLoader:
        reader = BatchReader(store, self.clip_samples, self.seed, transform)
        if self.num_workers or transform is not None:  # a transform draws from its process's own random generator
            return WorkerLoader(reader, plan, self.num_workers or self.num_threads, max_damaged=self.max_damaged_clips)
        on_gpu = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return ClipLoader(reader, plan, self.num_threads, self.num_threads + 2, on_gpu, self.max_damaged_clips)

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def _world_size(self) -> int:
        return self.trainer.world_size if self.trainer else 1


def _labelled(store: ClipStore, propagate: str | None) -> tuple[ClipStore, ClipStore]:
    """The store with the labels to train on, and with those to evaluate on."""
    if propagate is None:
        return store, store
    if propagate not in ("train", "all"):
        raise ValueError(f"data.propagate_labels={propagate}: choose null, train or all.")
    full = store.with_labels(*propagated(store.label_ptr, store.label_idx, store.classes))
    return full, full if propagate == "all" else store


def esc50(root: str | Path, fold: int, store: str | Path, **options: Any) -> AudioSetDataModule:
    """ESC-50, or data in its layout, with one official fold for validation; packed into `store` on first use.

    Args:
        root: Folder with meta/esc50.csv and audio/.
        fold: The fold that is scored; the others are trained on.
        store: Where the packed clips go.
        options: As `AudioSetDataModule`.
    """
    prepare = partial(make_esc50, root=root)
    return AudioSetDataModule(store, validation_splits=[f"fold{fold}"], prepare=prepare, **options)
