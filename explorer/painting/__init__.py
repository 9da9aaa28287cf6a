"""The parts of `explorer.paint`: letters, layers, charts and the blocks of a board."""
