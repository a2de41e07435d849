"""Joins the rooms: from what a user asks for to stages run, outputs saved and a commit made."""
