import numpy as np
import pytest
import torch
from scipy import stats

from panns.training.augment import Augmentation, Mixup, SpecAugment

DRAWS = torch.arange(100, 108)


def test_none_changes_nothing():
    batch = Augmentation().for_batch(DRAWS)
    x = torch.randn(8, 1, 20, 16)
    assert batch.mask(x) is x
    assert batch.mix(x) is x
    assert batch.waveform(x) is x
    assert batch.targets(x) is x


def test_mixup_mixes_pairs_and_targets_with_one_lambda_per_pair():
    batch = Augmentation(Mixup()).for_batch(DRAWS)
    x = torch.zeros(8, 1, 5, 4)
    x[0::2] = 1.0  # a mixed example then equals its lambda everywhere
    targets = torch.eye(8)
    mixed, mixed_targets = batch.mix(x), batch.targets(targets)
    assert mixed.shape == (4, 1, 5, 4)
    for i in range(4):
        weight = mixed[i, 0, 0, 0]
        assert (mixed[i] == weight).all()
        expected = torch.zeros(8)
        expected[2 * i], expected[2 * i + 1] = weight, 1 - weight
        torch.testing.assert_close(mixed_targets[i], expected)
    torch.testing.assert_close(mixed_targets.sum(1), torch.ones(4))  # target mass is kept
    assert len(set(mixed[:, 0, 0, 0].tolist())) == 4
    assert batch.waveform(x) is x


def test_mixup_on_the_waveform_leaves_features_alone():
    batch = Augmentation(Mixup(domain="waveform"), SpecAugment()).for_batch(DRAWS)
    x = torch.randn(8, 32)
    assert batch.waveform(x).shape == (4, 32)
    features = torch.randn(4, 1, 100, 16)
    assert batch.mix(features) is features
    assert batch.mask(features).shape == features.shape  # by then there is one row per example
    assert batch.targets(torch.eye(8)).shape == (4, 8)


@pytest.mark.parametrize("alpha", [1.0, 0.3, 10.0])
def test_lambda_follows_beta(alpha):
    batch = Augmentation(Mixup(alpha), seed=3).for_batch(torch.arange(20000))
    weights = batch.mix(torch.stack([torch.ones(10000), torch.zeros(10000)], 1).reshape(-1, 1))[:, 0]
    assert stats.kstest(weights.double().numpy(), stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_specaugment_stripes_have_the_released_widths():
    """torchlibrosa's DropStripes: width randint(0, drop_width), begin randint(0, total - width)."""
    count, frames, bins = 4000, 200, 64
    one = Augmentation(spec_augment=SpecAugment(time_stripes=1, freq_stripes=0), seed=1).for_batch(torch.arange(count))
    time_mask = one.mask(torch.ones(count, 1, frames, bins))[:, 0, :, 0] == 0
    widths = time_mask.sum(1).numpy()
    assert widths.min() == 0
    assert widths.max() == 63
    assert stats.chisquare(np.bincount(widths, minlength=64)).pvalue > 1e-3
    edges = np.abs(np.diff(time_mask.numpy().astype(int), axis=1, prepend=0, append=0)).sum(1)
    assert set(edges) <= {0, 2}  # one stripe in one piece
    two = Augmentation(spec_augment=SpecAugment(time_stripes=0), seed=1).for_batch(torch.arange(count))
    freq_widths = (two.mask(torch.ones(count, 1, frames, bins))[:, 0, 0] == 0).sum(1)
    assert freq_widths.max() <= 14  # two stripes of at most 7 of 64 bins
    assert freq_widths.max() >= 12


def test_specaugment_masks_each_clip_alone_and_keeps_the_rest():
    x = torch.randn(8, 2, 300, 64)
    y = Augmentation(spec_augment=SpecAugment()).for_batch(DRAWS).mask(x)
    kept = y != 0
    torch.testing.assert_close(y[kept], x[kept])
    assert (kept[:, 0] == kept[:, 1]).all()
    assert not (kept[0] == kept[1]).all()


def test_short_clips_keep_a_place_for_the_stripe():
    x = torch.ones(64, 1, 10, 8)
    y = Augmentation(spec_augment=SpecAugment()).for_batch(torch.arange(64)).mask(x)
    assert y.shape == x.shape
    assert y.sum() > 0


def test_choices_depend_on_the_draw_number_alone():
    """Two ranks that split a batch by pairs see what one rank sees."""
    plan = Augmentation(Mixup(), SpecAugment(), seed=5)
    draws, x = torch.arange(8), torch.randn(8, 1, 50, 16)
    whole = plan.for_batch(draws)
    expected = whole.mix(whole.mask(x))
    for rank in range(2):
        mine = torch.tensor([0, 1, 4, 5]) + 2 * rank
        part = plan.for_batch(draws[mine])
        torch.testing.assert_close(part.mix(part.mask(x[mine])), expected[rank::2], rtol=0, atol=0)


def test_an_odd_batch_cannot_be_paired():
    with pytest.raises(ValueError, match="draws_per_example=2"):
        Augmentation(Mixup()).for_batch(torch.arange(3))


@pytest.mark.parametrize("bad", [{"alpha": 0.0}, {"alpha": float("inf")}, {"domain": "spectrum"}])
def test_wrong_settings_are_refused(bad):
    with pytest.raises(ValueError, match=r"augmentation\.mixup"):
        Mixup(**bad)


@pytest.mark.parametrize(
    "bad",
    [{"time_width": -1}, {"time_stripes": -1}, {"freq_stripes": -2}, {"freq_fraction": 2.0}, {"freq_fraction": -0.5}],
)
def test_stripes_that_cannot_be_are_refused(bad):
    (name,) = bad
    with pytest.raises(ValueError, match=rf"augmentation\.spec_augment\.{name}="):
        SpecAugment(**bad)
