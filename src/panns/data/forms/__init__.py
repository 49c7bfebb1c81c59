"""The forms in which people hold the audio of AudioSet; each is a `panns.data.audioset.Holding`."""
