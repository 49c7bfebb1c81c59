"""What Kong et al. (2020) published: the tables, the learning curves and the AP of each class; each number once."""
