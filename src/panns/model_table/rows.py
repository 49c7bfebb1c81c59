"""Rows of the table: a model's size, counted from shapes alone, and its speed on this machine."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from panns.model_table.published import Published, published
from panns.models import AudioTagger, fold_batch_norms
from panns.models.complexity import DEAD_PARAMETERS, multiply_accumulates, num_parameters, paper_multi_adds
from panns.zoo import check_name, create_model, list_models

SECONDS = 10.0  # the clip that operations are counted and speed is measured for


@dataclass(frozen=True)
class Row:
    """One model.

    Attributes:
        name: Of the preset.
        frontend: Class of the frontend.
        parameters: In use.
        unused: Parameters that the released class has beside these and never uses, by released name.
        multi_adds: For a 10-s clip, as the paper counts.
        macs: Multiply-accumulates for a 10-s clip.
        min_samples: Shortest clip.
        sample_rate: Hz.
        published: None for a model that is not the authors'.
        clips_per_second: 10-s clips that one CPU core tags in a second; None where not measured.
    """

    name: str
    frontend: str
    parameters: int
    unused: dict[str, int]
    multi_adds: int
    macs: int
    min_samples: int
    sample_rate: int
    published: Published | None
    clips_per_second: float | None

    @property
    def equals_table_xii(self) -> bool | None:
        """Whether parameters (with the unused ones) and multi-adds are those printed; None where none are."""
        known = self.published.paper if self.published else None
        if known is None or known.parameters is None or known.multi_adds is None:
            return None
        parameters = self.parameters + sum(self.unused.values())
        return parameters == known.parameters and abs(self.multi_adds / 1e9 - known.multi_adds) < 0.00051


def chosen_models(names: Sequence[str] = ()) -> list[str]:
    """The presets named; all, if none is: the published ones in the order of their file, then the others.

    Raises:
        ValueError: If there is no such model.
    """
    for name in names:
        check_name(name)
    present = list_models()
    first = [name for name in published() if name in present]
    return list(names) or first + [name for name in present if name not in first]


def model_row(name: str, speed: bool = True) -> Row:
    """Counts one model and measures it, unless without `speed`.

    Raises:
        ValueError: If there is no such model.
    """
    with torch.device("meta"):  # shapes without values
        model = create_model(name)
    known = published().get(name)
    return Row(
        name=name,
        frontend=type(model.frontend).__name__,
        parameters=num_parameters(model),
        unused=DEAD_PARAMETERS.get(known.released_class, {}) if known else {},
        multi_adds=paper_multi_adds(model, SECONDS),
        macs=multiply_accumulates(model, SECONDS),
        min_samples=model.min_samples,
        sample_rate=model.sample_rate,
        published=known,
        clips_per_second=clips_per_second(model) if speed else None,
    )


@torch.inference_mode()
def clips_per_second(model: AudioTagger, repeats: int = 3, at_least: float = 1.0) -> float:
    """Clips per second of one CPU core, one at a time: the best of some runs after a first one that does not count.

    Batch norms are folded, as in `panns tag`. Processor time counts: other work on the machine hardly changes it.

    Args:
        model: On the meta device. It is given zeros as weights, with which dense layers take the same time as with any.
        repeats: Timed runs, the fewest.
        at_least: Seconds that the timed runs take together, the shortest.
    """
    model = model.to_empty(device="cpu")
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.zero_()
    model = fold_batch_norms(model)
    waveform = 0.1 * torch.randn(1, round(SECONDS * model.sample_rate))
    times: list[float] = []
    with _one_thread():
        model(waveform)
        while len(times) < repeats or sum(times) < at_least:
            start = time.process_time()
            model(waveform)
            times.append(time.process_time() - start)
    return 1 / min(times)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
