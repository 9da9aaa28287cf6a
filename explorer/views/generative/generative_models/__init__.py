"""The families of networks that make pictures, beside each other."""
