"""Networks measured on this machine, beside published speeds and accuracies."""
