"""What people add to finished models of latelier."""
