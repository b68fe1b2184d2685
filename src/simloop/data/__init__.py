"""Data sets of annotated images: made (`generate`), kept (`store`), looked at, mended and given to others."""
