"""One answer for the whole mesh: which services there are, and whether they can be called.

Each server describes itself and its own health. A program that knows only the mesh's address asks
here: reflection lists every service of the contracts, health knows each of them, and the overall
health (the empty name) is SERVING when all of them are.
"""
