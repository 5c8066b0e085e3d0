"""What must hold, case by case; each test names the case it makes executable."""
