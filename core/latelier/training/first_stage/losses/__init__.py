"""The losses of an autoencoder and of its discriminator."""
