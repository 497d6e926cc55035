"""The whole mesh on one machine: every server a process of its own, watched by this one.

plan          what to start, where, in which order to stop it
ports         whether the ports are free, and who has them
child         the first thing a child runs: it dies with the launcher
process       one child: its life, its restarts, its log
health        whether a child serves, told as it changes
mesh          all children: start, watch, stop in order
run_file      what runs, for `viva status` and `viva down`; one launcher a data folder
survey        what runs, seen from outside: health, models, memory
display       what `viva up` shows
"""
