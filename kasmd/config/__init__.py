"""One YAML file to a frozen Configuration; unknown keys are refused."""
