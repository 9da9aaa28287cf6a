"""Deformable part models, trained as Felzenszwalb et al. 2010 describe it (section 5)."""
