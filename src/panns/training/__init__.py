"""Everything that trains: the task, augmentation, metrics, schedules, callbacks."""
