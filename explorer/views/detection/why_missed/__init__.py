"""Why an object was not detected: the stage that lost it, and the limit that brings it back."""
