"""Compiled loops of world `crowd`."""

from simloop.worlds.compiled import compiler

compiled = compiler("world 'crowd'", "crowd")
