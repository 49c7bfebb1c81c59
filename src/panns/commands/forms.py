"""The forms of data on the command line: what each is called, its arguments, and the source that these make."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from panns.data.audioset import AudioSetSource, Holding
from panns.data.esc50 import Esc50Source
from panns.data.forms.archives import Archives
from panns.data.forms.ast_json import AstManifests
from panns.data.forms.folder import AudioFolder
from panns.data.forms.lhotse import LhotseManifests
from panns.data.importers import Source
from panns.data.manifest import ManifestSource


class Form(NamedTuple):
    """One form of data on the command line."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    source: Callable[[argparse.Namespace], Source]
    in_place: bool = True


def _add_segments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--segments", nargs="+", type=Path, required=True, metavar="CSV", help="official lists, one split each"
    )


def _add_folder(parser: argparse.ArgumentParser) -> None:
    _add_segments(parser)
    parser.add_argument("--audio", type=Path, required=True, metavar="DIR", help="searched with all folders below")


def _add_files(parser: argparse.ArgumentParser) -> None:
    _add_segments(parser)
    parser.add_argument(
        "--files", nargs="+", type=Path, required=True, metavar="PATH", help="files, or folders searched for them"
    )


def _add_lhotse(parser: argparse.ArgumentParser) -> None:
    _add_files(parser)
    parser.add_argument("--audio", type=Path, metavar="DIR", help="where the audio is now, if not where they say")


def _add_ast(parser: argparse.ArgumentParser) -> None:
    _add_segments(parser)
    parser.add_argument("--json", nargs="+", type=Path, required=True, metavar="FILE", help="the manifests")
    parser.add_argument("--audio", type=Path, metavar="DIR", help="where the audio is now, if not where they say")


def _add_manifest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="between columns , tab ; or |")
    parser.add_argument("--classes", metavar="FILE", help="one class a line, or `audioset`; default: all in the data")
    parser.add_argument("--audio", type=Path, metavar="DIR", help="where the paths start; default: beside the file")
    parser.add_argument("--single-label", action="store_true", help="each clip has exactly one class")


def _add_esc50(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", type=Path, required=True, metavar="DIR")


def _audioset(holding: Callable[[argparse.Namespace], Holding], args: argparse.Namespace) -> Source:
    return AudioSetSource(args.segments, holding(args), name=args.name or AudioSetSource.name)


def _folder(args: argparse.Namespace) -> Holding:
    return AudioFolder(args.audio)


def _folders(args: argparse.Namespace) -> Holding:
    return AudioFolder(args.audio, by_label=True)


def _ast(args: argparse.Namespace) -> Holding:
    return AstManifests(args.json, args.audio)


def _lhotse(args: argparse.Namespace) -> Holding:
    return LhotseManifests(args.files, args.audio)


def _archives(args: argparse.Namespace) -> Holding:
    return Archives(args.files)


def _panns(args: argparse.Namespace) -> Holding:
    from panns.data.forms.hdf5 import WAVEFORM, Hdf5Packs  # here: other forms need not wait for the HDF5 library

    return Hdf5Packs(args.files, WAVEFORM)


def _passt(args: argparse.Namespace) -> Holding:
    from panns.data.forms.hdf5 import MP3, Hdf5Packs

    return Hdf5Packs(args.files, MP3)


def _huggingface(args: argparse.Namespace) -> Holding:
    from panns.data.forms.parquet import HuggingFaceParquet

    return HuggingFaceParquet(args.files)


def _manifest(args: argparse.Namespace) -> Source:
    name = args.name or args.manifest.stem
    return ManifestSource(args.manifest, args.classes, args.audio, name=name, single_label=args.single_label)


def _esc50(args: argparse.Namespace) -> Source:
    return Esc50Source(args.root, name=args.name or Esc50Source.name)


FORMS = {
    "audioset": Form(
        "AudioSet: a folder of audio files named after their clips (PANNs' wavs, Kaggle's, downloaders')",
        _add_folder,
        partial(_audioset, _folder),
    ),
    "folders": Form(
        "AudioSet: a folder per label, as audioset-download leaves them (not in its strong mode, which cuts elsewhere)",
        _add_folder,
        partial(_audioset, _folders),
    ),
    "panns-hdf5": Form(
        "AudioSet: PANNs' packs of waveforms (balanced_train.h5, eval.h5, unbalanced_train/*.h5)",
        _add_files,
        partial(_audioset, _panns),
    ),
    "tar": Form(
        "AudioSet: tar shards (WebDataset) or zip archives of audio files",
        _add_files,
        partial(_audioset, _archives),
    ),
    "passt": Form(
        "AudioSet: the packs of MP3 files of PaSST and EfficientAT (*_segments_mp3.hdf)",
        _add_files,
        partial(_audioset, _passt),
        in_place=False,
    ),
    "huggingface": Form(
        "AudioSet: Parquet files of agkphysics/AudioSet on Hugging Face",
        _add_files,
        partial(_audioset, _huggingface),
        in_place=False,
    ),
    "ast": Form("AudioSet: the JSON manifests of AST and its relatives", _add_ast, partial(_audioset, _ast)),
    "lhotse": Form(
        "AudioSet: lhotse's manifests of cuts, or of recordings and supervisions (icefall)",
        _add_lhotse,
        partial(_audioset, _lhotse),
    ),
    "csv": Form(
        "own data: a table with columns path,labels[,start,end][,fold or split], or JSON as AST's",
        _add_manifest,
        _manifest,
    ),
    "esc50": Form("the ESC-50 layout: meta/esc50.csv and audio/", _add_esc50, _esc50),
}
