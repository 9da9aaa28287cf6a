"""Networks from elsewhere: other libraries, folders of the Hub, a Python file, other detectors."""
