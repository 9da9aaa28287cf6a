"""Pictures to which a part of a network answers most, beside the photos that do."""
