"""The pages for people, served beside the API: they show what it shows, and decide nothing."""
