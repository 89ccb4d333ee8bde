"""The look-up of reference pictures: what a request names, as pictures and slots."""
