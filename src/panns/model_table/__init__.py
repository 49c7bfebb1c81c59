"""The table of all models: what was published about them beside what is counted and measured here."""
