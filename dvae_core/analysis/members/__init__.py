"""What a study asks of a population, member by member."""
