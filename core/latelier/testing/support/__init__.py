"""What the contracts of the conformance kit compute with."""
