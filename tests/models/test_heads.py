"""Clip and frame heads."""

import math

import pytest
import torch

from panns.models import ClipHead, FrameHead, upsample_frames
from panns.models.heads import mean_logits


def test_clip_head_pools_by_maximum_plus_mean():
    head = ClipHead(1, num_classes=1).eval()
    for layer in (head.fc, head.classifier):
        torch.nn.init.ones_(layer.weight)
    output = head(torch.tensor([[[1.0, 2.0, 6.0]]]))
    assert output.embedding.item() == 9.0  # 6 + (1 + 2 + 6) / 3
    assert output.clip_logits.item() == 9.0
    assert output.frame_probs is None


def test_embedding_is_without_dropout():
    head = ClipHead(8, num_classes=3, embedding_dim=16, dropout=0.0).train()
    x = torch.randn(2, 8, 5)
    embedding = head(x).embedding
    assert embedding.shape == (2, 16)
    torch.testing.assert_close(embedding, head(x).embedding)


@pytest.mark.parametrize("aggregation", ["max", "mean", "attention"])
def test_clip_is_the_aggregate_of_the_frames(aggregation):
    torch.manual_seed(0)
    head = FrameHead(8, num_classes=5, aggregation=aggregation, embedding_dim=6).eval()
    x = torch.randn(3, 8, 7)
    output = head(x)
    frames = output.frame_probs
    assert frames.shape == (3, 7, 5)
    if aggregation == "attention":
        smooth = torch.nn.functional.max_pool1d(x, 3, 1, 1) + torch.nn.functional.avg_pool1d(x, 3, 1, 1)
        hidden = torch.relu(head.fc(smooth.mT))
        weights = head.attention(hidden.mT).clamp(-10, 10).mT.softmax(dim=1)
        want = (frames * weights).sum(dim=1)
    else:
        want = frames.amax(dim=1) if aggregation == "max" else frames.mean(dim=1)
    torch.testing.assert_close(output.clip_logits.sigmoid(), want)
    assert output.embedding.shape == (3, 6)


def test_unknown_aggregation_is_refused():
    with pytest.raises(ValueError, match="max, mean, attention"):
        FrameHead(8, 5, aggregation="avg")


@pytest.mark.parametrize("value", [-200.0, -30.0, 30.0, 200.0])
def test_mean_logits_of_equal_frames_is_their_logit(value):
    """Also where the probability is 0 or 1 in float32."""
    logits = torch.full((1, 1, 4), value)
    result = mean_logits(logits, torch.full_like(logits, -math.log(4)))
    torch.testing.assert_close(result, torch.tensor([[value]]))


def test_mean_logits_against_float64():
    torch.manual_seed(0)
    logits = 5 * torch.randn(2, 3, 9)
    weights = torch.randn(2, 3, 9).softmax(dim=2)
    want = (logits.double().sigmoid() * weights.double()).sum(dim=2).logit()
    torch.testing.assert_close(mean_logits(logits, weights.log()), want.float(), rtol=1e-4, atol=1e-4)


def test_upsampling_repeats_then_holds_the_last_frame():
    frames = torch.tensor([[[1.0], [2.0]]])
    assert upsample_frames(frames, 3, 8)[0, :, 0].tolist() == [1, 1, 1, 2, 2, 2, 2, 2]
    assert upsample_frames(frames, 3, 5)[0, :, 0].tolist() == [1, 1, 1, 2, 2]
    assert upsample_frames(frames, 1, 2)[0, :, 0].tolist() == [1, 2]


def test_further_layers_stand_between_embedding_and_logits():
    torch.manual_seed(0)
    head, x = ClipHead(8, num_classes=3, embedding_dim=6, classifier_layers=3).eval(), torch.randn(2, 8, 5)
    one_layer = ClipHead(8, num_classes=3, embedding_dim=6).eval()
    assert not one_layer.load_state_dict(head.state_dict(), strict=False).missing_keys
    output = head(x)
    torch.testing.assert_close(output.embedding, one_layer(x).embedding)
    first, second, last = head.after_embedding
    expected = last(torch.relu(second(torch.relu(first(output.embedding)))))
    torch.testing.assert_close(output.clip_logits, expected)
    assert one_layer.after_embedding == [one_layer.classifier]
