"""The weights that a model starts from: which were released, where they lie, what a file holds, loading it."""
