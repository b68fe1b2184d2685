"""Compiled loops of world `drive`."""

from simloop.worlds.compiled import compiler

compiled = compiler("world 'drive'", "drive")
