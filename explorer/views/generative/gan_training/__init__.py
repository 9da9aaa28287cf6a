"""A generator and a discriminator are trained against each other."""
