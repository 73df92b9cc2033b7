"""The commands, a module for each: its options, its help and its call into the core."""
