"""One person watching over RFB: what is owed, when to send, who is here."""
