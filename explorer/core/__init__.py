"""What every room may use: errors, layers, the runner, settings. No Qt, no torch, no view."""
