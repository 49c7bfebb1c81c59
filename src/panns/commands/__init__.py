"""The commands of `panns`, one module each."""
