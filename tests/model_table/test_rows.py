"""Sizes against the paper and against real weights; speed."""

import dataclasses

import pytest
import torch

from panns.model_table import rows as module
from panns.model_table.published import published
from panns.model_table.rows import chosen_models, clips_per_second, model_row
from panns.models.complexity import DEAD_PARAMETERS, multiply_accumulates, num_parameters, paper_multi_adds
from panns.zoo import create_model, list_models


@pytest.mark.parametrize("name", [name for name, one in published().items() if one.paper and one.paper.parameters])
def test_size_is_table_xiis(name, rows):
    row, known = rows[name], published()[name].paper
    assert row.parameters + sum(row.unused.values()) == known.parameters
    assert round(row.multi_adds / 1e9, 3) == known.multi_adds
    assert row.equals_table_xii


@pytest.mark.parametrize(
    ("name", "multi_adds", "parameters"), [("mobilenet_v1", "8.6", "5.9"), ("mobilenet_v2", "6.7", "5.0")]
)
def test_share_of_cnn14_is_what_the_paper_says(name, multi_adds, parameters, rows):
    """Section VI-C, in per cent."""
    assert f"{100 * rows[name].multi_adds / rows['cnn14'].multi_adds:.1f}" == multi_adds
    assert f"{100 * rows[name].parameters / rows['cnn14'].parameters:.1f}" == parameters


def test_unused_parameters_are_named_where_there_are_some(rows):
    unused = {row.published.released_class: row.unused for row in rows.values() if row.unused}
    assert unused == DEAD_PARAMETERS


def test_shapes_alone_count_as_weights_do():
    row, model = model_row("leenet11", speed=False), create_model("leenet11")
    assert row.parameters == num_parameters(model)
    assert row.macs == multiply_accumulates(model)
    assert row.multi_adds == paper_multi_adds(model)
    assert (row.min_samples, row.sample_rate, row.frontend) == (model.min_samples, 32000, "Raw")
    assert row.clips_per_second is None


@pytest.mark.parametrize(
    ("seconds", "want"), [([5.0, 2.0, 4.0, 1.0], 1 / 2), ([0.25, 0.25, 0.125, 0.25, 0.125, 0.0625], 1 / 0.125)]
)
def test_the_best_of_three_runs_or_a_second_of_them_counts(seconds, want, monkeypatch):
    ticks = iter(pairwise_sums(seconds))
    monkeypatch.setattr(module.time, "process_time", lambda: next(ticks))
    before = torch.get_num_threads()
    assert model_row("mobilenet_v2").clips_per_second == want
    assert torch.get_num_threads() == before


def pairwise_sums(seconds):
    """What a clock shows at the start and the end of each run."""
    now = 0.0
    for run in seconds:
        yield now
        now += run
        yield now


def test_measuring_gives_finite_numbers():
    """A model without values in its weights would be as fast, or as slow as denormal numbers are."""
    with torch.device("meta"):
        model = create_model("mobilenet_v2")
    seen = []
    model.head.classifier.register_forward_hook(lambda module, inputs, output: seen.append(output))
    assert clips_per_second(model, repeats=1, at_least=0) > 0
    assert len(seen) == 2
    assert all(torch.equal(output, torch.zeros(1, 527)) for output in seen)


def test_other_figures_than_the_papers_are_noticed(rows):
    assert rows["cnn14_16k"].equals_table_xii is None
    assert not dataclasses.replace(rows["dainet19"], unused={}).equals_table_xii
    assert not dataclasses.replace(rows["cnn6"], multi_adds=rows["cnn6"].multi_adds + 10**6).equals_table_xii


def test_models_come_in_the_papers_order_and_own_ones_last(monkeypatch):
    assert sorted(chosen_models()) == list_models()
    assert chosen_models()[:3] == ["cnn6", "cnn10", "cnn14"]
    monkeypatch.setattr(module, "list_models", lambda: ["apple", "cnn14", "cnn6"])
    assert chosen_models() == ["cnn6", "cnn14", "apple"]
    assert chosen_models(["cnn14", "cnn6"]) == ["cnn14", "cnn6"]
    with pytest.raises(ValueError, match=r"No model 'cnn15'\. Did you mean cnn14"):
        chosen_models(["cnn14", "cnn15"])
