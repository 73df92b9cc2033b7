"""The delivery engine: claim → prepare → send → judge → record.

Each step is a function or a small class that can be used alone; `worker` is the loop that joins them.
"""
