"""What sampling costs on this device, as Tables 6 and 18 of Rombach et al. 2022 report it."""
