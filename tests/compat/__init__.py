"""Comparison of exprun with real DVC: cases, DVC's recorded answers, and the live check."""
