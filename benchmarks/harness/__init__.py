"""The harness: it measures cases, records them and reports them, and knows nothing of any case."""
