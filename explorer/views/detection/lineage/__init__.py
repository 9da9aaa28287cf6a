"""Where a detection came from: anchor, proposal, RoI."""
