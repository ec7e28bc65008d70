"""Bridges to the field's other packages, one file per neighbour."""
