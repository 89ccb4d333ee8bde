"""Reading published weights: formats, each behind one registered importer."""
