"""Methods for many photos at once: neighbors, maps, linear probes, concepts. Arrays and modules."""
