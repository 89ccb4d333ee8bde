"""The start of a plugin: a whole distribution that installs and passes the conformance kit."""
