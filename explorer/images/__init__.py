"""Stills: decoding, color, samples, generated photos and where photos come from."""
