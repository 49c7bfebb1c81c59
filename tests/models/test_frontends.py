"""Log-mel, raw and Wavegram frontends."""

import librosa
import numpy as np
import pytest
import torch

from panns.models import LogMel, Raw, Wavegram, WavegramLogMel


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_mels", "f_max"),
    [(32000, 1024, 64, 14000), (32000, 1024, 128, 14000), (16000, 512, 64, 8000), (8000, 256, 64, 4000)],
)
def test_mel_filters_are_librosas(sample_rate, n_fft, n_mels, f_max):
    frontend = LogMel(sample_rate, n_mels=n_mels)
    want = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=50, fmax=f_max)
    np.testing.assert_allclose(frontend.mel_filters, want, atol=1e-6)


def test_log_mel_is_librosas():
    waveform = 0.1 * np.random.default_rng(0).standard_normal(32000).astype(np.float32)
    power = librosa.feature.melspectrogram(
        y=waveform, sr=32000, n_fft=1024, hop_length=320, n_mels=64, fmin=50, fmax=14000, pad_mode="reflect"
    )
    want = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)
    np.testing.assert_allclose(LogMel(32000).log_mel(torch.from_numpy(waveform)[None])[0], want, atol=1e-3)


def test_silence_is_minus_100_db():
    assert torch.equal(LogMel(32000).log_mel(torch.zeros(1, 6400)), torch.full((1, 64, 21), -100.0))


@pytest.mark.parametrize(("sample_rate", "hop"), [(32000, 320), (22050, 220), (16000, 160), (8000, 80)])
def test_defaults_follow_the_sample_rate(sample_rate, hop):
    frontend = LogMel(sample_rate)
    assert frontend.hop_length == hop
    assert frontend(torch.randn(2, sample_rate)).shape == (2, 1, sample_rate // hop + 1, 64)


def test_constants_are_not_in_the_state():
    assert all(name.startswith("bn0.") for name in LogMel(32000).state_dict())


def test_stays_float32_under_autocast():
    frontend, square = LogMel(32000).eval(), torch.ones(1, 16000)
    with torch.no_grad():
        want = frontend(square)
        for dtype in (torch.bfloat16, torch.float16):
            with torch.autocast("cpu", dtype):
                assert torch.equal(frontend(square), want)
                assert frontend.log_mel(square).dtype == torch.float32
                assert frontend.log_mel(square).isfinite().all()


def test_batch_norm_is_over_mel_bins():
    frontend = LogMel(32000)
    x = frontend(torch.randn(4, 32000))  # training mode: normalised by the batch's own statistics
    assert x[:, 0].mean(dim=(0, 1)).abs().max() < 1e-4
    assert (x[:, 0].var(dim=(0, 1), unbiased=False) - 1).abs().max() < 1e-4


@pytest.mark.parametrize(("f_min", "f_max"), [(50, 17000), (4000, 4000), (5000, 100)])
def test_refuses_impossible_mel_edges(f_min, f_max):
    with pytest.raises(ValueError, match="f_min"):
        LogMel(32000, f_min=f_min, f_max=f_max)


def test_wavegram_frame_rate_matches_the_log_mel():
    wavegram, both = Wavegram(32000), WavegramLogMel(32000)
    waveform = torch.randn(1, 64000)
    assert wavegram(waveform).shape == (1, 64, 100, 32)
    assert both(waveform).shape == (1, 128, 100, 32)
    assert wavegram.hop_length == both.hop_length == 640


@pytest.mark.parametrize("samples", [*range(10236, 10260), 10559, 10560, 10561, 31999, 32000, 32321])
def test_fused_frontend_takes_any_length(samples):
    torch.manual_seed(0)
    frontend = WavegramLogMel(32000, channels=2).eval()
    waveform = torch.randn(1, samples)
    with torch.no_grad():
        both = frontend(waveform)
        logmel = frontend.block1(frontend.logmel(waveform))
        wavegram = frontend.wavegram(waveform)
    frames = min(logmel.shape[2], wavegram.shape[2])
    assert both.shape[2] == frames >= 16
    assert abs(logmel.shape[2] - wavegram.shape[2]) <= 1
    torch.testing.assert_close(both, torch.cat([logmel[:, :, :frames], wavegram[:, :, :frames]], dim=1))


@pytest.mark.parametrize(
    ("sample_rate", "hop_length", "strides"),
    [
        (32000, None, (5, 4, 4, 4)),  # the released ones
        (16000, None, (5, 4, 4, 2)),
        (8000, None, (5, 4, 2, 2)),
        (44100, None, (7, 7, 3, 3)),
        (32000, 1000, (8, 5, 5, 5)),
        (32000, 500, (5, 5, 5, 4)),
    ],
)
def test_the_wavegram_follows_the_hop_of_the_log_mel(sample_rate, hop_length, strides):
    both, alone = WavegramLogMel(sample_rate, hop_length=hop_length, channels=2), Wavegram(sample_rate, hop_length)
    waveform = torch.randn(1, 40 * both.hop_length)
    for wavegram in (both.wavegram, alone):
        assert (wavegram.stride, *wavegram.pools) == strides
        assert wavegram.hop_length == both.hop_length == 2 * both.logmel.hop_length
        assert wavegram(waveform).shape[2] == 40
    assert both(waveform).shape[2] == 40


def test_strides_decide_the_hop_where_they_are_given():
    both = WavegramLogMel(32000, strides=[5, 8, 4, 1])
    assert both.logmel.hop_length == 160
    assert Wavegram(32000, strides=[5, 8, 4, 1]).hop_length == 320
    with pytest.raises(ValueError, match=r"strides=\[5, 4, 4, 4\] make 320 samples per frame, frontend.hop_length=160"):
        WavegramLogMel(32000, hop_length=160, strides=[5, 4, 4, 4])
    for strides in ([5, 4, 4], [5, 4, 4, 0], [12, 4, 4, 4], [5, 4, 4, 4.0]):
        with pytest.raises(ValueError, match="four whole numbers above 0"):
            Wavegram(32000, strides=strides)


def test_a_hop_without_factors_names_its_neighbours():
    with pytest.raises(ValueError, match=r"hop_length=317 is no product .* 315 and 320 are"):
        Wavegram(32000, hop_length=317)


class Record:
    """Mixes 1 : 3, masks the first frequency bin, and writes down what it was asked for."""

    def __init__(self):
        self.calls = []

    def waveform(self, x):
        self.calls.append("waveform")
        return x

    def mask(self, x):
        self.calls.append("mask")
        return torch.cat([torch.zeros_like(x[..., :1]), x[..., 1:]], dim=-1)

    def mix(self, x):
        self.calls.append("mix")
        return 0.25 * x[0::2] + 0.75 * x[1::2]


def test_log_mel_is_masked_then_mixed_after_its_batch_norm():
    frontend, waveform, augment = LogMel(32000).eval(), torch.randn(4, 8000), Record()
    plain = frontend(waveform)
    mixed = frontend(waveform, augment)
    assert augment.calls == ["mask", "mix"]
    assert torch.equal(mixed[..., 0], torch.zeros(2, 1, 26))
    torch.testing.assert_close(mixed[1, 0, :, 1:], 0.25 * plain[2, 0, :, 1:] + 0.75 * plain[3, 0, :, 1:])


def test_raw_waveform_is_mixed():
    augment, waveform = Record(), torch.tensor([[4.0, 8.0], [0.0, 4.0]])
    assert torch.equal(Raw(32000)(waveform, augment), torch.tensor([[[1.0, 5.0]]]))
    assert augment.calls == ["mix"]


def test_wavegram_map_is_mixed_last():
    frontend, waveform, augment = Wavegram(32000).eval(), torch.randn(2, 8000), Record()
    plain = frontend(waveform)
    torch.testing.assert_close(frontend(waveform, augment), 0.25 * plain[:1] + 0.75 * plain[1:])
    assert augment.calls == ["mix"]


def test_fused_frontend_mixes_the_log_mel_before_block_1_and_the_wavegram_map():
    frontend, waveform = WavegramLogMel(32000).eval(), torch.randn(2, 8000)
    logmel, augment = frontend.logmel(waveform), Record()
    logmel = 0.25 * logmel[:1] + 0.75 * logmel[1:]
    logmel[..., 0] = 0.0
    wavegram = frontend.wavegram(waveform)
    both = frontend(waveform, augment)
    torch.testing.assert_close(both[:, :64], frontend.block1(logmel)[:, :, : both.shape[2]])
    torch.testing.assert_close(both[:, 64:], (0.25 * wavegram[:1] + 0.75 * wavegram[1:])[:, :, : both.shape[2]])
    assert sorted(augment.calls) == ["mask", "mix", "mix"]


def test_what_lies_between_windows_is_told():
    with pytest.warns(UserWarning, match="hop_length=1025: windows of n_fft=1024 samples leave out what lies between"):
        LogMel(32000, hop_length=1025)
    LogMel(32000, hop_length=1024)
