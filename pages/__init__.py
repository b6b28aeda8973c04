"""The app: one script per page; what they share is in ui."""
