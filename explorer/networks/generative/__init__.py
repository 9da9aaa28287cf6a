"""Networks that make pictures, and their critics: small, and in the decks' families.

None takes a photo for its class, so none is in the catalog; the views of the chapter load them.
"""
