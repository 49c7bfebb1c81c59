"""What `panns verify` can find, and what it means."""

DAMAGED_CLIP = {  # goes into quarantine; `--repair` drops it
    "missing": "its file is not there",
    "damaged": "its bytes are not those that were indexed, or cannot be read",
    "silent": "every sample is zero: no audio to learn from",
    "constant": "every sample has the same value: no audio to learn from",
    "bad_row": "its row of the index points to nothing",
}
DAMAGED_FILE = {
    "file_missing": "a file of the store is not there",
    "file_size": "a file is shorter or longer than it was: cut, or replaced",
    "file_changed": "the checksum of a file is not the one recorded",
    "file_unproven": "holds a damaged clip, and others that were never read while it was whole: index it anew",
    "index_changed": "the checksum of a part of the index is not the one recorded",
}
LEAK = {
    "same_id": "an id that other clips have too",
    "same_audio_elsewhere": "the same audio as a clip of another split: trained on and scored",
}
NOTED = {
    "same_audio": "the same audio as another clip of its split",
    "clipped": "10 samples or more at full scale",
    "other_labels": "labels that differ from the list's",
    "other_start": "a start that differs from the list's",
    "not_listed": "a clip of the store that its list does not have",
    "absent": "a listed clip that the store does not have",
    "foreign_label": "a class of the list that the store does not know: its labels cannot be compared",
}
DAMAGE = DAMAGED_CLIP | DAMAGED_FILE
KINDS = DAMAGE | LEAK | NOTED
