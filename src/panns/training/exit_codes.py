"""How train.py ends, for those that start it. Light to import: each worker of a cluster does."""

BUSY = 75  # EX_TEMPFAIL of sysexits.h: another process works in the run's folder
