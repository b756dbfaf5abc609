"""The catalogue for people: which requirement is judged by which test, killed by which fault, met by which mesh."""
