"""What comes from outside, made up of arbitrary bytes: it is read, or refused in our own words, and nothing else."""
