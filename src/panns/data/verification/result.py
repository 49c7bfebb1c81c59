"""What a verification found."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from panns.data.report import Finding
from panns.data.store import ClipStore
from panns.data.verification.coverage import Coverage
from panns.data.verification.files import FileStates
from panns.data.verification.kinds import DAMAGE, DAMAGED_CLIP, KINDS

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass
class Verification:
    """Filled by `verify`.

    Attributes:
        states: the files as they are now.
        everything: whether all clips were read, or a sample.
        writable: whether the store can be written; else its checksums and quarantine stay as they are.
        checked: (N,) clips that were read.
        crc32: (N,) of the index and, where it has none, as the first verification read it; 0 where none did yet.
        damaged: row of each damaged clip, with the kind and the words.
        findings: of files, lists and whole clips that are worth knowing about.
        quarantine: clip id and reason, as it is now written in the store.
        hashed: checksum of each file that was hashed.
    """

    store: ClipStore
    states: FileStates
    everything: bool
    writable: bool = True
    checked: Mask = field(init=False)
    crc32: npt.NDArray[np.uint32] = field(init=False)
    damaged: dict[int, tuple[str, str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    coverages: list[Coverage] = field(default_factory=list)
    quarantine: dict[str, str] = field(default_factory=dict)
    hashed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.checked, self.crc32 = np.zeros(len(self.store), dtype=bool), self.store.crc32.copy()

    def note(self, row: int, what: str, words: str) -> None:
        """Note a fault of a row; of a damaged clip the first."""
        if what in DAMAGED_CLIP:
            self.damaged.setdefault(row, (what, words))
        else:
            self.findings.append(Finding(self.store.id[row].decode(), self.path(row), what, words))

    def path(self, row: int) -> str:
        """The file of a row."""
        file = int(self.store.file[row])
        return str(self.store.file_path(file)) if file < len(self.store.path) else ""

    @cached_property
    def all_findings(self) -> list[Finding]:
        """Damage first; by kind, then by id."""
        damaged = [Finding(self.store.id[row].decode(), self.path(row), *fault) for row, fault in self.damaged.items()]
        order = {what: number for number, what in enumerate(KINDS)}
        return sorted([*damaged, *self.findings], key=lambda finding: (order[finding.what], finding))

    @property
    def whole(self) -> Mask:
        """(N,) clips that are not known to be damaged."""
        whole = np.ones(len(self.store), dtype=bool)
        whole[list(self.damaged)] = False
        return whole

    @property
    def suspect_files(self) -> Mask:
        """(files,) that are not of their size, or hold a damaged clip."""
        suspect = self.states.differ(self.store)
        suspect[[self.store.file[row] for row, (what, _) in self.damaged.items() if what == "damaged"]] = True
        return suspect

    @property
    def index_changed(self) -> list[str]:
        """Parts of the index that are not as they were written: what it says of the clips cannot be relied on."""
        return [finding.path for finding in self.findings if finding.what == "index_changed"]

    @property
    def counts(self) -> Counter[str]:
        """Findings of each kind."""
        return Counter(finding.what for finding in self.all_findings)

    @property
    def is_whole(self) -> bool:
        """Whether no damage was found."""
        return not any(finding.what in DAMAGE for finding in self.all_findings)
