"""The kernel: registries, the plugin door, contracts. Imports nothing else of ours."""
