"""What the daemon writes down: neutral text, formats, outputs, who asked, the audit."""
