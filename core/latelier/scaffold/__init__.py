"""New plugins: a whole distribution that installs and passes the conformance kit."""
