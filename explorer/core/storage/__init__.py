"""Files of the program: written atomically, locked, resumed, kept within a size."""
