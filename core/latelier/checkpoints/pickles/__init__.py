"""Reading torch pickles without running them."""
