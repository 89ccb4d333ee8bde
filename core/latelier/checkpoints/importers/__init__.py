"""Reading published weights. Each format has one registered importer."""
