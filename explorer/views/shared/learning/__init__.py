"""What the views of small trainings share: their data, their parameters, their pictures."""
