"""Studies: the rows of a table, trained as the jobs of one sweep, gathered and compared with the paper."""
