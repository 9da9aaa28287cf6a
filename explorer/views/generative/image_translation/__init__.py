"""One picture becomes another: larger, in color, a map, or a photo of a drawn map."""
