"""One YAML file to frozen values; unknown keys are refused."""
