"""The command line: parse, call the core, and let one renderer speak.

entry         runs a command and turns whatever happens into an exit code
application   the table of commands, each imported when it is run
session       the world as a command sees it: streams, environment, settings, store
results       what commands return; `rendering` prints it
commands/     a module for each command: its options, its help, its call into the core
"""
