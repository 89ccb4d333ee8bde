"""`latelier data`: prepare and check data sets, and look at the built-in one."""
