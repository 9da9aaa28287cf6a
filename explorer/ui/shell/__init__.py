"""The program around the views: window, actions, session, start and end."""
