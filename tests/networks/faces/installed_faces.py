"""The package with the cascade's weights: tests of what it gives skip where it is not installed."""

import pytest

from explorer.networks.faces.mtcnn import packages

needs_mtcnn = pytest.mark.skipif(
    any(package.path() is None for package in packages().values()),
    reason="the package mtcnn is not installed",
)
